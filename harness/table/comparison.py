"""One method against every other of a task: paired differences with their intervals, tests and costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from harness.base.files import write_text
from harness.contracts.plan import Plan
from harness.table.leaderboard import ALL, Row, task_board
from harness.table.markdown import number, table, with_interval
from harness.table.rows import write_rows
from harness.table.scores import TaskScores
from harness.table.statistics import Floats, paired_permutations

COLUMNS = (
    "budget", "method", "label", "mean", "low", "high", "difference", "difference_low", "difference_high", "p_value",
    "pairs", "coverage", "trained_parameters", "adaptation_seconds", "preparation_seconds",
    "preparation_seconds_spread", "preparation_flops", "preparation_tokens", "metric", "direction", "source",
)  # fmt: skip
DIFFERENCE = ("difference", "difference_low", "difference_high", "p_value", "pairs")
MEANING = (
    "Difference: by how much `{method}` is better than the row, so that more than 0 speaks for it, with its 95% "
    "interval (the same replicates for both: seeds, and independently test examples). p: the two-sided paired "
    "permutation test over (domain, seed), corrected over the rows of a budget (step-down, by the largest difference "
    "of each flip). Preparation is spread over the (domain, seed) that share it; adaptation is the mean of a cell."
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

    `difference` is positive where `method` is the better one, whichever way the metric goes; None beside a hole.
    """
    rows: list[Row] = []
    for budget, budgets in [*((budget, [budget]) for budget in scores.budgets), (ALL, scores.budgets)]:
        its = [dict(row) for row in board if row["budget"] == budget]
        its.sort(key=lambda row: row["method"] != method)
        paired = {
            name: values for row in its if (values := scores.paired(name := str(row["method"]), budgets)) is not None
        }
        mine = paired.pop(method, None)
        p_values = (
            {} if mine is None else dict(zip(paired, paired_permutations(mine, list(paired.values())), strict=True))
        )
        for row in its:
            name = str(row["method"])
            row |= dict.fromkeys(DIFFERENCE)
            if mine is not None and name in paired:
                row |= _difference(scores, (method, name), budgets, mine - paired[name]) | {"p_value": p_values[name]}
        rows += its
    return rows


def _difference(scores: TaskScores, methods: tuple[str, str], budgets: list[int], differences: Floats) -> Row:
    sign = 1 if scores.run.direction == "max" else -1
    found = scores.difference_interval(*methods, budgets)
    low, high = sorted(sign * end for end in found) if found else (None, None)
    return {
        "difference": sign * float(differences.mean()),
        "difference_low": low,
        "difference_high": high,
        "pairs": len(differences),
    }


def _markdown(scores: TaskScores, rows: Sequence[Row], method: str) -> str:
    run = scores.run
    parts = [f"# {run.label}: {scores.label(method)} against the others", MEANING.format(method=method)]
    parts[1] += f" Metric: {run.metric}. Source: {run.source}. Seeds: {len(scores.seeds)}."
    columns = ["method", "id", "mean", "difference", "p", "trained", "preparation s", "adaptation s"]
    for budget in [*scores.budgets, ALL]:
        lines = [_line(row, 1 if run.direction == "max" else 2) for row in rows if row["budget"] == budget]
        title = "All budgets" if budget == ALL else f"{budget} training examples"
        parts += [f"## {title}", table(columns, 2, lines)]
    return "\n\n".join(parts) + "\n"


def _line(row: Row, digits: int) -> list[str]:
    def value(name: str) -> float | None:
        return None if row[name] is None else float(str(row[name]))

    def shown(name: str, places: int) -> str:
        known = value(name)
        return "–" if known is None else number(known, places)

    def interval(name: str, low: str, high: str) -> str:
        known = value(name)
        return "–" if known is None else with_interval(known, value(low), value(high), digits)

    return [
        str(row["label"]),
        f"`{row['method']}`",
        interval("mean", "low", "high"),
        interval("difference", "difference_low", "difference_high"),
        shown("p_value", 4),
        "–" if row["trained_parameters"] is None else str(row["trained_parameters"]),
        shown("preparation_seconds_spread", 1),
        shown("adaptation_seconds", 1),
    ]
