"""`headstart plan`: jobs, cells and estimated minutes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from harness.cli.columns import aligned
from harness.contracts.budget import told_all
from harness.contracts.plan import Block, PrepareJob
from harness.plan.entry import make_plan
from harness.plan.estimate import Estimates
from harness.plan.jobs import settled
from harness.tune.space import TRIALS

LONG = 10 * 3600  # seconds, from which on hours are easier to read than minutes


def show_plan(options: Namespace) -> int:
    """Print every job with its cells, what is done already, and the minutes left on two cores."""
    plan = make_plan(options.configfile)
    estimates = Estimates(plan)
    total = 0.0
    rows: list[Sequence[str]] = [("job", "task", "what", "cells", "to do", "minutes", "")]
    for job in plan.data:
        rows.append(_row("data", job.task, job.source, len(job.folders), int(not Path(job.done).is_file()), 0.0))
    for backbone in plan.backbones:
        missing = int(not Path(backbone.done).is_file())
        total += (seconds := missing * estimates.backbone(backbone))
        rows.append(_row("backbone", "", backbone.name, 1, missing, seconds))
    for prepares in alike(plan.prepares):
        lacking = [sum(not settled(part) for part in job.parts) for job in prepares]
        total += (seconds := sum(map(estimates.preparation, prepares, lacking)))
        made, first = sum(len(job.parts) for job in prepares), prepares[0]
        rows.append(_row("prepare", first.task, first.name, made, sum(lacking), seconds))
    for search in plan.tunes:
        total += (seconds := estimates.search(search))
        missing = estimates.tries(search)
        budgets = told_all(search.reaches or search.budgets)
        rows.append(_row("tune", search.task, search.whose, TRIALS * search.cells, missing, seconds, f"k={budgets}"))
    for block in plan.blocks:
        total += (seconds := estimates.block(block))
        missing = estimates.missing(block)
        rows.append(_row("adapt", block.task, block.method, len(block.cells), missing, seconds, _share(block)))
    print("\n".join(aligned(rows, right=(3, 4, 5))))
    unit, size = ("hours", 3600) if total >= LONG else ("minutes", 60)
    times = f"about {total / size:,.0f} {unit} on one core, {total / 2 / size:,.0f} on two"
    print(f"\n{sum(1 for _ in plan.cells())} cells; {times}, {_by(estimates)}")
    return 0


def alike(prepares: Iterable[PrepareJob]) -> list[list[PrepareJob]]:
    """Preparations, those together that differ in their seeds and domains alone."""
    return [list(jobs) for _, jobs in groupby(prepares, lambda job: replace(job, parts=[], done=""))]


def _by(estimates: Estimates) -> str:
    """What an estimate rests on."""
    if estimates.cells:
        return f"by the {estimates.cells} that are done"
    if estimates.checkpoints:
        return f"by the {estimates.checkpoints} checkpoints that are prepared, as no cell is done yet"
    return "by the sizes of backbones and data alone, as none is done yet"


def _share(block: Block) -> str:
    """What the block does about a trained share that is asked for."""
    if block.match_parameters is None:
        return ""
    if not block.sized_by:
        return "no size to match"
    return f"{' and '.join(block.sized_by)} for {100 * block.match_parameters:g}% trained"


def _row(rule: str, task: str, what: str, cells: int, missing: int, seconds: float, more: str = "") -> tuple[str, ...]:
    return rule, task, what, str(cells), str(missing), f"{seconds / 60:.1f}", more
