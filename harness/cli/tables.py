"""`headstart tables`: tables, boards, claims and the report of what stands of a run, beside the run."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from harness.adapt.record import read_standing
from harness.base.errors import UserError
from harness.base.wording import seeds_in_words
from harness.cli.asked import plan_to_look_at
from harness.cli.report import report
from harness.contracts.model import one_of
from harness.contracts.plan import Plan
from harness.score.score import score_cell

FOLDER = "so-far"  # below the output folder: no file of the run's own is written, so that the run makes its own
MADE = ("collect", "tables", "leaderboard", "claims", "report")  # as the rules of those names do


def make_tables(options: Namespace) -> int:
    """Score the cells that stand, and write what is made of them; the others are holes."""
    plan = plan_to_look_at(options.configfile)
    for seed in options.seed or ():
        one_of(str(seed), [str(its) for its in plan.seeds], options.configfile, "--seed")
    standing = read_standing(plan.cells())
    cells, done = sum(1 for _ in plan.cells()), score_standing(plan, standing)
    if not done:
        raise UserError(f"{plan.output}: no cell of {options.configfile} is done yet; see `headstart status`")
    seeds = options.seed or seeds_to_show(plan, standing)
    apart = replace(plan.of_seeds(seeds), output=str(Path(plan.output) / FOLDER))
    for what in MADE:
        report(apart, what)
    of = "" if len(apart.seeds) == len(plan.seeds) else f" of {seeds_in_words(sorted(apart.seeds))} alone"
    print(f"{done} of {cells} cells are done; what they say{of} stands in {apart.output}, report.html among it")
    return 0


def seeds_to_show(plan: Plan, standing: Collection[str]) -> list[int]:
    """All seeds; or that one in which most cells stand, where more than twice as many rows are then without a hole.

    Of a row that lacks a seed no mean is taken, and a run comes to its other seeds when every row has the first.
    """
    counts = Counter(cell.seed for cell in plan.cells() if cell.folder in standing)
    most = max(sorted(plan.seeds), key=counts.__getitem__)
    rows = [rows_that_stand(plan.of_seeds(seeds), standing) for seeds in (plan.seeds, [most])]
    return plan.seeds if 2 * rows[0] >= rows[1] else [most]


def rows_that_stand(plan: Plan, standing: Collection[str]) -> int:
    """How many methods have all their cells on a task."""
    return sum(all(cell.folder in standing for cell in block.cells) for block in plan.blocks)


def score_standing(plan: Plan, standing: Collection[str]) -> int:
    """Score the finished cells that have no scores yet, as the run would; returns how many have scores."""
    found = (score_cell(cell, plan.tasks[cell.task]) for cell in plan.cells() if cell.folder in standing)
    return sum(status == "done" for status in found)
