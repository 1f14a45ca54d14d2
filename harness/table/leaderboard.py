"""Leaderboards: a task's methods by rank with what they cost, and all tasks together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.base.files import write_text
from harness.contracts.plan import Plan
from harness.table.board_page import board_page
from harness.table.rows import ALL, Row, write_rows
from harness.table.scores import TaskScores
from harness.table.spent import Spent
from harness.table.standing import Standing, selections, standing

PLACE = ("rank", "tie_group", "tied_with", "p_value", "smallest_detectable", "above_control")
COLUMNS = (
    "rank", "tie_group", "method", "label", "control", "leaks", "reads_targets", "budget",
    "mean", "low", "high", "domains", "spread", "coverage", "statuses",
    "tied_with", "p_value", "smallest_detectable", "above_control", "scale", "resolution", "typical_detectable",
    "trained_parameters", "trained_share", "wanted_share", "sized", "stored_bytes",
    "rates", "preparation_rates", "tuning_seconds",
    "adaptation_seconds", "prediction_seconds", "preparation_seconds", "preparation_seconds_spread",
    "preparation_flops", "preparation_flops_spread", "preparation_tokens", "preparation_peak_rss_mib", "peak_rss_mib",
    "peak_device_mib", "seeds", "metric", "direction", "source", "model",
)  # fmt: skip


def write_leaderboards(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/leaderboard/<task>.csv` and `.md` of every task, and `overall.csv`."""
    folder = Path(plan.output) / "leaderboard"
    boards: dict[str, list[Row]] = {}
    for task in plan.tasks:
        scores = TaskScores(plan, records, task)
        boards[task] = task_board(plan, records, task, scores)
        write_rows(folder / f"{task}.csv", COLUMNS, boards[task])
        write_text(folder / f"{task}.md", board_page(scores, boards[task]))
    columns, rows = overall_board(plan, {task: boards[task] for task in plan.firsts})
    write_rows(folder / "overall.csv", columns, rows)


def task_board(plan: Plan, records: pd.DataFrame, task: str, scores: TaskScores | None = None) -> list[Row]:
    """A task's rows: for each budget, then for all of them, the ranked methods, then those with holes or a leak.

    Who has read the task's scores already gives them, since that takes most of the time.
    """
    scores = scores or TaskScores(plan, records, task)
    spent = Spent(plan, records, task)
    # The mean over budgets comes last and is the row that `overall.csv` reads.
    rows: list[Row] = []
    for chosen in selections(scores):
        its, budgets = standing(scores, chosen.budgets), chosen.budgets
        head: Row = {
            "budget": chosen.name,
            "scale": scores.scale,
            "resolution": its.resolution,
            "typical_detectable": its.typical_detectable,
        }
        costs = spent.at(budgets)
        unranked = sorted((method for method in scores.methods if method not in its.ranks), key=scores.leaks)
        for method in [*its.ranks, *unranked]:
            rows.append(
                head
                | _result(scores, method, budgets)
                | _place(its, method)
                | {"statuses": _statuses(spent, scores, method, budgets)}
                | costs[method]
                | scores.rates[method]
            )
    return rows


def _place(its: Standing, method: str) -> Row:
    """A method's rank and group, and what its test on the board can see."""
    if method not in its.ranks:
        return dict.fromkeys(PLACE)
    rank, beside = its.ranks[method], its.beside(method)
    values = (
        rank.rank,
        rank.group,
        None if rank.leader == method else rank.leader,
        rank.p_value,
        its.duels.smallest_detectable(method, beside) if beside else None,
        its.above_control.get(method),
    )
    return dict(zip(PLACE, values, strict=True))


def _result(scores: TaskScores, method: str, budgets: Sequence[int]) -> Row:
    value = scores.value(method, scores.domains, budgets)
    return {
        "method": method,
        "label": scores.label(method),
        "control": scores.control(method),
        "leaks": scores.leaks(method),
        "reads_targets": scores.reads_targets(method),
        "mean": value.mean,
        "low": value.low,
        "high": value.high,
        "domains": len(scores.domains),
        "spread": scores.spread(method, budgets),
        "coverage": f"{value.done}/{value.planned}",
        "seeds": value.seeds,
        "metric": scores.run.metric_in_words,
        "direction": scores.run.direction,
        "source": scores.run.source,
        "model": scores.model,
    }


def _statuses(spent: Spent, scores: TaskScores, method: str, budgets: Sequence[int]) -> str:
    """How many cells ended otherwise than done, as "error:1 timeout:2"; empty where all went well."""
    counts = spent.statuses(method, budgets)
    counts["unscored"] = counts.pop("done", 0) - scores.coverage(method, scores.domains, budgets)[0]
    return " ".join(f"{status}:{count}" for status, count in sorted(counts.items()) if count > 0)


def overall_board(plan: Plan, boards: dict[str, list[Row]]) -> tuple[list[str], list[Row]]:
    """The columns and rows of `overall.csv`: the mean rank over a method's tasks, all budgets together.

    A task of several backbones counts once, by its board on the first.
    A method with a hole or a leak in any of its tasks has no mean rank and stands last. `tasks` says how many tasks the
    mean is over: methods that take part in different tasks compare with care.
    """
    found: dict[str, dict[str, Row]] = {}
    for task, board in boards.items():
        for row in board:
            if row["budget"] == ALL:
                found.setdefault(str(row["method"]), {})[task] = row
    rows = [_overall_row(plan, method, rows) for method, rows in found.items()]
    ordered = sorted(rows, key=lambda row: (row["mean_rank"] is None, row["mean_rank"] or 0.0, row["method"]))
    means = [row["mean_rank"] for row in ordered if isinstance(row["mean_rank"], float)]
    for row in ordered:
        mean = row["mean_rank"]
        row["rank"] = 1 + sum(other < mean for other in means) if isinstance(mean, float) else None
    columns = ["rank", "method", "label", "control", "leaks", "mean_rank", "tasks", "coverage"]
    return columns + [f"{what}_{task}" for task in boards for what in PER_TASK], ordered


PER_TASK = ("rank", "mean", "coverage", "source", "rates", "preparation_rates")


def _overall_row(plan: Plan, method: str, rows: dict[str, Row]) -> Row:
    ranks = [row["rank"] for row in rows.values()]
    whole = [rank for rank in ranks if isinstance(rank, int)]
    halves = [str(row["coverage"]).split("/") for row in rows.values()]
    return {
        "method": method,
        "label": plan.methods[method]["label"],
        "control": bool(plan.methods[method]["control"]),
        "leaks": any(bool(row["leaks"]) for row in rows.values()),
        "mean_rank": float(np.mean(whole)) if len(whole) == len(ranks) else None,
        "tasks": f"{len(rows)}/{len(plan.firsts)}",
        "coverage": f"{sum(int(done) for done, _ in halves)}/{sum(int(planned) for _, planned in halves)}",
    } | {f"{what}_{task}": rows[task][what] if task in rows else None for task in plan.firsts for what in PER_TASK}
