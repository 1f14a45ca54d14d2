"""`headstart plan`: jobs, cells and estimated minutes."""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from harness.adapt.record import read_record
from harness.cli.columns import aligned
from harness.contracts.plan import Block, Plan
from harness.plan.entry import make_plan
from harness.plan.jobs import settled
from harness.record.collect import records_file

# Seconds on one core, measured on the embedded default; a run's own records replace them.
BACKBONE_SECONDS = 90.0
PREPARED_SECONDS = 4.0
CELL_SECONDS = {"token-classification": 0.8, "sequence-classification": 0.8, "causal-lm": 1.3, "summarization": 2.0}
CONTROL_SECONDS = 0.05
IMPORT_SECONDS = 5.0


def show_plan(options: Namespace) -> int:
    """Print every job with its cells, what is done already, and the minutes left on two cores."""
    plan = make_plan(options.configfile)
    left = defaultdict[str, float](float)
    measured = measured_seconds(plan)
    rows: list[Sequence[str]] = [("job", "task", "what", "cells", "to do", "minutes", "")]
    for job in plan.data:
        rows.append(_row("data", job.task, job.source, len(job.folders), int(not Path(job.done).is_file()), 0.0))
    for backbone in plan.backbones:
        missing = int(not Path(backbone.done).is_file())
        seconds = missing * (BACKBONE_SECONDS if backbone.spec["source"] == "pretrain" else 0.0)
        left["backbone"] += seconds
        rows.append(_row("backbone", "", backbone.name, 1, missing, seconds))
    for prepare in plan.prepares:
        missing = sum(not settled(part) for part in prepare.parts)
        seconds = missing * PREPARED_SECONDS
        left["prepare"] += seconds
        rows.append(_row("prepare", prepare.task, prepare.name, len(prepare.parts), missing, seconds))
    for block in plan.blocks:
        missing = sum(read_record(Path(cell.folder), cell.fingerprint) is None for cell in block.cells)
        fallback = CELL_SECONDS[plan.tasks[block.task].kind] if block.cells[0].checkpoint else CONTROL_SECONDS
        seconds = missing * measured.get((block.task, block.method), fallback) + IMPORT_SECONDS * bool(missing)
        left["adapt"] += seconds
        rows.append(_row("adapt", block.task, block.method, len(block.cells), missing, seconds, _share(block)))
    print("\n".join(aligned(rows, right=(3, 4, 5))))
    cells = sum(1 for _ in plan.cells())
    minutes = sum(left.values()) / 60
    print(f"\n{cells} cells; about {minutes:.0f} minutes on one core, {minutes / 2:.0f} on two")
    return 0


def measured_seconds(plan: Plan) -> dict[tuple[str, str], float]:
    """Median seconds a cell by task and method, from the records of an earlier run."""
    file = records_file(plan)
    if not file.is_file():
        return {}
    records = pd.read_parquet(
        file, columns=["task", "method", "fingerprint", "adaptation_seconds", "prediction_seconds"]
    )
    cells = records.drop_duplicates(["method", "fingerprint"]).dropna()
    seconds = cells.adaptation_seconds + cells.prediction_seconds
    medians = seconds.groupby([cells.task, cells.method]).median()
    return {
        (str(task), str(method)): float(value) for (task, method), value in zip(medians.index, medians, strict=True)
    }


def _share(block: Block) -> str:
    """What the block does about a trained share that is asked for."""
    if block.match_parameters is None:
        return ""
    if not block.sized_by:
        return "no size to match"
    return f"{' and '.join(block.sized_by)} for {100 * block.match_parameters:g}% trained"


def _row(rule: str, task: str, what: str, cells: int, missing: int, seconds: float, more: str = "") -> tuple[str, ...]:
    return rule, task, what, str(cells), str(missing), f"{seconds / 60:.1f}", more
