"""`headstart tables`: tables, boards, claims and the report of what stands of a run, beside the run."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from harness.adapt.record import read_standing
from harness.base.errors import UserError
from harness.cli.asked import plan_to_look_at
from harness.cli.report import report
from harness.contracts.plan import Plan
from harness.score.score import score_cell

FOLDER = "so-far"  # below the output folder: no file of the run's own is written, so that the run makes its own
MADE = ("collect", "tables", "leaderboard", "claims", "report")  # as the rules of those names do


def make_tables(options: Namespace) -> int:
    """Score the cells that stand, and write what is made of them; the others are holes."""
    plan = plan_to_look_at(options.configfile)
    cells, done = sum(1 for _ in plan.cells()), score_standing(plan)
    if not done:
        raise UserError(f"{plan.output}: no cell of {options.configfile} is done yet; see `headstart status`")
    apart = replace(plan, output=str(Path(plan.output) / FOLDER))
    for what in MADE:
        report(apart, what)
    print(f"{done} of {cells} cells are done; what they say stands in {apart.output}, report.html among it")
    return 0


def score_standing(plan: Plan) -> int:
    """Score the finished cells that have no scores yet, as the run would; returns how many have scores."""
    standing = read_standing(plan.cells())
    found = (score_cell(cell, plan.tasks[cell.task]) for cell in plan.cells() if cell.folder in standing)
    return sum(status == "done" for status in found)
