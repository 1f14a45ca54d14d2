"""The rule `adapt`: the cells of a block in one process, each kept as soon as it is done."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from harness.adapt.bench import Bench, run_control
from harness.adapt.record import Status, read_record, write_done, write_failed
from harness.base.errors import Diverged, Unsupported, UserError
from harness.base.files import read_json, write_json
from harness.base.progress import say
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.discover import methods, tasks
from harness.contracts.method import Train
from harness.contracts.plan import Block, Cell, Plan
from harness.data.task import load_task


class CellTimeout(Exception):
    """The cell took longer than the configuration allows."""


def run_block(plan: Plan, block: Block) -> int:
    """Run the cells of a block that have no record yet; returns how many failed."""
    bench = make_bench(plan, block)
    # Cells that read the same checkpoint follow one another, so that each is read once.
    cells = sorted(block.cells, key=lambda cell: (cell.checkpoint or "", cell.domain, cell.budget, cell.seed))
    begin, failed = time.perf_counter(), 0
    for number, cell in enumerate(cells, 1):
        record = read_record(Path(cell.folder), cell.fingerprint)
        word = "kept"
        if record is None:
            word = run_and_record(plan, bench, block, cell)
        elif record["status"] != "done":
            word = record["status"]
        failed += word not in ("done", "kept")
        spent = time.perf_counter() - begin
        left = spent / number * (len(cells) - number)
        say(f"[{number}/{len(cells)}] {cell.name}: {word} ({spent:.0f} s so far, about {left:.0f} s left)")
    write_json(Path(block.done), {"cells": len(cells), "failed": failed})
    return failed


def make_bench(plan: Plan, block: Block) -> Bench:
    """What the cells of a block share."""
    task, found, method = plan.tasks[block.task], tasks()[block.task], methods()[block.method]
    if [method.code, method.spec.adapt, found.code] != block.planned_from:
        where = f"{method.folder} or {found.folder}"
        raise UserError(f"{where}: the folder changed while the run was at work; start the run again")
    return Bench(
        task=load_task(found),
        folders=plan.data_of(block.task).folders,
        adaptations=method.adaptations(),  # type: ignore[arg-type]
        train=Train(**block.train),
        max_length=task.max_length,
        target_length=task.target_length,
        test_examples=task.test_examples,
        match_parameters=block.match_parameters if block.sized_by else None,
    )


def run_and_record(plan: Plan, bench: Bench, block: Block, cell: Cell) -> Status:
    """Run one cell and write its record, whatever happens; returns its status."""
    identity = asdict(cell) | {
        "source": plan.tasks[cell.task].source,
        "backbone": block.backbone,
        "train": block.train,
        "leaks": any(isinstance(part, Adaptation) and part.leaks for part in bench.adaptations),
        "dropped": dropped_for(plan, block, cell),
        "threads": int(os.environ.get("OMP_NUM_THREADS", 0)) or None,
    }
    folder = Path(cell.folder)
    try:
        with _limits(plan.cell_minutes, plan.memory_gib):
            predictions, costs = _compute(bench, cell)
        test = bench.split(cell.domain, "test")
        if len(predictions) != len(test):
            raise ValueError(f"the method gave {len(predictions)} predictions for {len(test)} test examples")
        rows = [{**example, "predicted": predicted} for example, predicted in zip(test, predictions, strict=True)]
        write_done(folder, identity, rows, costs)
        return "done"
    except Exception as error:  # a method may raise anything; the other cells go on
        status = _status(error)
        write_failed(folder, identity, status, traceback.format_exc())
        say(f"{cell.name}: {type(error).__name__}: {error}")
        return status


def dropped_for(plan: Plan, block: Block, cell: Cell) -> dict[str, dict[str, int]]:
    """The examples left out, as test examples of other domains, of what the cell's checkpoint was made from."""
    if cell.checkpoint is None:
        return {}
    notes = [Path(plan.backbone(block.backbone).done), Path(cell.checkpoint) / "prepared.json"]
    return {
        domain: lost for note in notes if note.is_file() for domain, lost in read_json(note).get("dropped", {}).items()
    }


def _compute(bench: Bench, cell: Cell) -> tuple[list[Any], dict[str, Any]]:
    if isinstance(bench.adaptations[0], Control):
        return run_control(bench, cell.domain, cell.budget, cell.seed)
    from harness.adapt.cell import run_cell  # seconds to import, which controls do without

    return run_cell(bench, cell.domain, cell.budget, cell.seed, cell.checkpoint)


def _status(error: Exception) -> Status:
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, Unsupported):
        return "unsupported"
    if isinstance(error, CellTimeout):
        return "timeout"
    # On the CPU torch raises a plain RuntimeError; on a GPU torch.OutOfMemoryError, a RuntimeError too.
    refused = isinstance(error, RuntimeError) and ("allocate memory" in str(error) or "out of memory" in str(error))
    if isinstance(error, MemoryError) or refused:
        return "out_of_memory"
    if isinstance(error, UserError):
        raise error  # a mistake in what the run is made of: every cell would fail for it
    return "error"


@contextmanager
def _limits(minutes: float | None, gib: float | None) -> Iterator[None]:
    """Turn too long into CellTimeout and too much memory into a refused allocation."""

    def ring(_: int, __: FrameType | None) -> None:
        raise CellTimeout(f"the cell took longer than {minutes} minutes")

    before = resource.getrlimit(resource.RLIMIT_DATA)
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        # Without a limit the kernel would kill the whole block for one greedy cell.
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        limit = machine if gib is None else int(gib * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    if minutes is not None:
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, minutes * 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, before)
