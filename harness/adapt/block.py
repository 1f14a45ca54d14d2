"""The rule `adapt`: cells of a block in one process, each kept as soon as it is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapt.bench import Bench, run_control
from harness.adapt.failure import Failure, failure_of, read_failure
from harness.adapt.gpu_turns import with_room
from harness.adapt.limits import limits
from harness.adapt.rates import search_failed, searched
from harness.adapt.record import Status, read_record, write_along, write_done, write_failed
from harness.base.errors import UserError
from harness.base.files import read_json, write_json
from harness.base.progress import about_left, say
from harness.base.threads import threads
from harness.contracts.adapt_job import AdaptJob
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.discover import tasks
from harness.contracts.method import Train
from harness.contracts.plan import Block, Cell, Plan, TuneJob
from harness.data.task import Example, load_task
from harness.parts.build import adaptations_of
from harness.parts.variants import method_of

if TYPE_CHECKING:  # importing it imports torch, which controls do without
    from harness.learn.between import Passed


def run_cells(plan: Plan, job: AdaptJob) -> int:
    """Run the cells of a job that have no record yet; returns how many failed."""
    block = plan.block(job.task, job.method)
    bench = make_bench(plan, block)
    cells = in_turn(plan.cells_of(job))
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
        left = about_left(spent, number, len(cells))
        say(f"[{number}/{len(cells)}] {cell.name}: {word} ({spent:.0f} s so far, {left})")
    write_json(Path(job.done), {"cells": len(cells), "failed": failed})
    return failed


def in_turn(cells: Sequence[Cell]) -> list[Cell]:
    """Cells of a block as they are run: seed by seed, so that there is one of everything to look at early.

    Those that read the same checkpoint follow one another within a seed, so that each is read once.
    """
    return sorted(cells, key=lambda cell: (cell.seed, cell.checkpoint or "", cell.domain, cell.budget))


def make_bench(plan: Plan, block: Block | TuneJob) -> Bench:
    """What the cells of a block share, or those of a search."""
    task, method = plan.tasks[block.task], method_of(block.method, block.adapt)
    found = tasks()[task.base]
    if [method.code, method.spec.adapt, found.code] != block.planned_from:
        where = f"{method.folder} or {found.folder}"
        raise UserError(f"{where}: the folder changed while the run was at work; start the run again")
    its = load_task(found, task.generates)
    its.generate_by(task.generation)
    its.label_by(task.labelling)
    return Bench(
        task=its,
        folders=plan.data_of(block.task).folders,
        adaptations=adaptations_of(method),  # type: ignore[arg-type]
        train=Train(**block.train),
        max_length=task.max_length,
        target_length=task.target_length,
        test_examples=task.test_examples,
        match_parameters=block.match_parameters if block.sized_by else None,
        precision=block.precision,
        points=block.points if isinstance(block, Block) else (),  # of a trial only the end is scored
    )


def run_and_record(plan: Plan, bench: Bench, block: Block, cell: Cell) -> Status:
    """Run one cell and write its record, whatever happens; returns its status."""
    failure = _failed_before(plan, block, cell)
    train = block.train | ({} if failure else searched(cell.rates_from, "train"))
    identity = asdict(cell) | {
        "source": plan.tasks[cell.task].source,
        "backbone": block.backbone,
        "model": _model(plan, block, cell),
        "train": train,
        "rates": block.rates,
        "leaks": any(isinstance(part, Adaptation) and part.leaks for part in bench.adaptations),
        "dropped": dropped_for(plan, block, cell),
        "threads": threads(),
        "precision": block.precision,
        **_answering(bench),
    }
    folder = Path(cell.folder)
    if failure:
        write_failed(folder, identity | {"failed_in": failure.what}, failure.status, failure.error)
        return failure.status
    bench.train = Train(**train)
    passed: list[Passed] = []
    try:
        predictions, costs = _compute(plan, bench, cell, passed)
        test = bench.split(cell.domain, "test")
        if len(predictions) != len(test):
            raise ValueError(f"the method gave {len(predictions)} predictions for {len(test)} test examples")
        write_along(folder, {its.point: _rows(test, its.predictions) for its in passed})
        write_done(folder, identity, _rows(test, predictions), costs)
        return "done"
    except Exception as error:  # a method may raise anything; the other cells go on
        failure = failure_of(cell.name, error)
        write_failed(folder, identity, failure.status, failure.error)
        return failure.status


def _rows(examples: list[Example], predictions: list[Any]) -> list[dict[str, Any]]:
    return [{**example, "predicted": predicted} for example, predicted in zip(examples, predictions, strict=True)]


def _failed_before(plan: Plan, block: Block, cell: Cell) -> Failure | None:
    """Why what the cell begins from could not be made, its checkpoint or its rate; None where it was."""
    if cell.checkpoint is None:  # a control needs none
        return None
    made = read_failure(Path(cell.checkpoint if block.prepared_by else plan.backbone(block.backbone).folder))
    return made or search_failed(cell.rates_from)


def _model(plan: Plan, block: Block, cell: Cell) -> dict[str, Any] | None:
    """Which checkpoint the backbone is that the cell begins from; None where it begins from none, or it failed."""
    done = Path(plan.backbone(block.backbone).done)
    return read_json(done).get("model") if cell.checkpoint and done.is_file() else None


def _answering(bench: Bench) -> dict[str, dict[str, Any] | None]:
    """How a model's texts are generated and how its words get their tags; None where no model gives any."""
    controlled = isinstance(bench.adaptations[0], Control)
    generation, labelling = (None, None) if controlled else (bench.task.generation, bench.task.labelling)
    return {
        "generation": generation.described(bench.target_length) if generation else None,
        "labelling": asdict(labelling) if labelling else None,
    }


def dropped_for(plan: Plan, block: Block, cell: Cell) -> dict[str, dict[str, int]]:
    """The examples left out, as test examples of other domains, of what the cell's checkpoint was made from."""
    if cell.checkpoint is None:
        return {}
    notes = [Path(plan.backbone(block.backbone).done), Path(cell.checkpoint) / "prepared.json"]
    return {
        domain: lost for note in notes if note.is_file() for domain, lost in read_json(note).get("dropped", {}).items()
    }


def _compute(plan: Plan, bench: Bench, cell: Cell, passed: list[Passed]) -> tuple[list[Any], dict[str, Any]]:
    where = cell.domain, cell.budget, cell.seed, cell.checkpoint
    if isinstance(bench.adaptations[0], Control):
        with limits(plan.cell_minutes, plan.memory_gib):
            return run_control(bench, *where)
    from harness.adapt.cell import run_cell  # seconds to import, which controls do without

    def compute() -> tuple[list[Any], dict[str, Any]]:
        passed.clear()
        with limits(plan.cell_minutes, plan.memory_gib):
            return run_cell(bench, *where, passed)

    return with_room(plan.output, cell.name, compute)
