"""One method against every other of a task: paired differences with their intervals, tests and costs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from harness.base.files import write_text
from harness.contracts.plan import Plan
from harness.table.leaderboard import task_board
from harness.table.markdown import count, difference, number, probability, table, with_interval
from harness.table.pivot import POWER, Pivot, Sample, holm, pivot
from harness.table.rows import Row, value_of, write_rows
from harness.table.scores import TaskScores
from harness.table.standing import bounds_in_words, selections, standing

COLUMNS = (
    "budget", "method", "label", "mean", "low", "high", "difference", "difference_low", "difference_high", "scale",
    "p_value", "p_holm", "smallest_detectable", "seeds_needed", "seeds", "coverage", "trained_parameters",
    "adaptation_seconds", "preparation_seconds", "preparation_seconds_spread", "preparation_flops",
    "preparation_tokens", "rates", "preparation_rates", "tuning_seconds", "metric", "direction", "source", "model",
)  # fmt: skip
DIFFERENCE = (
    "difference", "difference_low", "difference_high", "p_value", "p_holm", "smallest_detectable", "seeds_needed",
)  # fmt: skip
MEANING = (
    "Difference: by how much `{method}` is better than the row, so that more than 0 speaks for it, with its 95% "
    "interval; of perplexities, by how many percent the row's is the larger. The unit is the seed, and test examples "
    "are the second part of the variance; what a pair's few seeds say of theirs is moderated by the pairs of all "
    "contenders (Smyth, 2004). p belongs to the interval: it is below 5% where the interval leaves out 0; "
    "p (Holm) is corrected over the rows of a budget. Detectable: the true difference that would be seen in "
    f"{POWER:.0%} of runs like this one. Seeds to tell: how many would be needed if the true difference were the one "
    "found here; – where no number of seeds would do without more test examples. Preparation is spread over the "
    "(domain, seed) that share it; adaptation is the mean of a cell."
)


def write_comparison(plan: Plan, records: pd.DataFrame, task: str, method: str) -> Path:
    """Write `<output>/comparisons/<task>-<method>.csv` and `.md`; returns the latter's path."""
    scores = TaskScores(plan, records, task)
    rows = compare(scores, task_board(plan, records, task), method)
    path = Path(plan.output) / "comparisons" / f"{task}-{method}.md"
    write_rows(path.with_suffix(".csv"), COLUMNS, rows)
    write_text(path, _markdown(scores, rows, method))
    return path


def compare(scores: TaskScores, board: Sequence[Row], method: str) -> list[Row]:
    """The board's rows, `method` first at each budget, with what tells it from the others.

    `difference` is positive where `method` is the better one, whichever way the metric goes, on the metric's scale;
    None beside a hole, and of a single seed it comes without interval and p.
    """
    rows: list[Row] = []
    for chosen in selections(scores):
        its = [dict(row) for row in board if row["budget"] == chosen.name]
        its.sort(key=lambda row: row["method"] != method)
        for row in its:
            row |= dict.fromkeys(DIFFERENCE) | _difference(scores, method, str(row["method"]), chosen.budgets)
        tested = [row for row in its if row["p_value"] is not None]
        for row, p_value in zip(tested, holm([float(str(row["p_value"])) for row in tested]), strict=True):
            row["p_holm"] = float(p_value)
        rows += its
    return rows


def _difference(scores: TaskScores, method: str, other: str, budgets: Sequence[int]) -> Row:
    """What tells two methods apart; nothing beside a hole, and of a method and itself."""
    mine, its = scores.sample(method, budgets), scores.sample(other, budgets)
    if mine is None or its is None or method == other:
        return {}
    paired = mine - its if scores.run.direction == "max" else its - mine
    found = _pivot(scores, method, other, budgets, paired)
    if found is None:
        return {"difference": float(paired.values.mean())}
    low, high = found.interval()
    estimate = float(found.estimate)
    return {
        "difference": estimate,
        "difference_low": float(low),
        "difference_high": float(high),
        "p_value": float(found.p_value()),
        "smallest_detectable": float(found.smallest_detectable()),
        "seeds_needed": found.seeds_needed(estimate) if estimate else None,
    }


def _pivot(scores: TaskScores, method: str, other: str, budgets: Sequence[int], paired: Sample) -> Pivot | None:
    """That of the board's own test; of a method that leaks, which no board ranks, from the pair alone."""
    if scores.leaks(method) or scores.leaks(other):
        return pivot(paired)
    found = standing(scores, budgets).duels.pair(method, other)
    return found if found is None or scores.run.direction == "max" else -found


def _markdown(scores: TaskScores, rows: Sequence[Row], method: str) -> str:
    run = scores.run
    parts = [f"# {run.label}: {scores.label(method)} against the others", MEANING.format(method=method)]
    parts[1] += f" Metric: {run.metric_in_words}. Source: {run.source}. Seeds: {len(scores.seeds)}."
    parts[1] += f" Backbone: {run.backbone} ({scores.model})."
    columns = ["method", "id", "mean", "difference", "p", "p (Holm)", "detectable", "seeds to tell"]
    columns += ["trained", "preparation s", "adaptation s"]
    for chosen in selections(scores):
        lines = [_line(scores, row) for row in rows if row["budget"] == chosen.name]
        bounds = bounds_in_words(scores, standing(scores, chosen.budgets))
        parts += [f"## {chosen.title}", *filter(None, [bounds]), table(columns, 2, lines)]
    return "\n\n".join([*parts, *scores.rates_note()]) + "\n"


def _line(scores: TaskScores, row: Row) -> list[str]:
    value = partial(value_of, row)

    def shown(name: str, places: int) -> str:
        known = value(name)
        return "–" if known is None else number(known, places)

    mean, found, seen = value("mean"), value("difference"), value("smallest_detectable")
    digits = 1 if scores.run.direction == "max" else 2
    ends = value("difference_low"), value("difference_high")
    return [
        f"{row['label']}{scores.rates_mark(str(row['method']))}",
        f"`{row['method']}`",
        "–" if mean is None else with_interval(mean, value("low"), value("high"), digits),
        "–" if found is None else difference(scores.scale, found, *ends),
        probability(value("p_value")),
        probability(value("p_holm")),
        "–" if seen is None else difference(scores.scale, seen),
        count(value("seeds_needed")),
        count(value("trained_parameters")),
        shown("preparation_seconds_spread", 1),
        shown("adaptation_seconds", 1),
    ]
