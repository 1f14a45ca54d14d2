"""`headstart compare`: signs, intervals, corrections and holes, on made-up records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.table.comparison import compare, write_comparison
from harness.table.leaderboard import ALL, Row, task_board
from harness.table.scores import TaskScores
from harness.table.statistics import paired_permutations
from tests.unit.made_records import made_plan, made_records

LEVELS = {"alpha": 60.0, "beta": 50.0, "gamma": 49.5, "zero": 10.0}


def compared(folder: Path, task: str, method: str = "beta", **options: object) -> list[Row]:
    plan = made_plan(str(folder))
    records = made_records(plan, LEVELS, **options)  # type: ignore[arg-type]
    return compare(TaskScores(plan, records, task), task_board(plan, records, task), method)


def of(rows: list[Row], method: str, budget: object = ALL) -> Row:
    return next(row for row in rows if row["method"] == method and row["budget"] == budget)


@pytest.mark.parametrize(("task", "sign"), [("ner", 1), ("lm", -1)])
def test_a_positive_difference_speaks_for_the_method(task: str, sign: int, tmp_path: Path) -> None:
    rows = compared(tmp_path, task)
    assert [rows[0][name] for name in ("method", "difference", "p_value")] == ["beta", None, None]
    for method in ("alpha", "zero"):
        row, mine = of(rows, method), of(rows, "beta")
        expected = sign * (float(str(mine["mean"])) - float(str(row["mean"])))
        assert row["difference"] == pytest.approx(expected)
        low, high = float(str(row["difference_low"])), float(str(row["difference_high"]))
        assert low < expected < high
    assert float(str(of(rows, "zero")["difference"])) > 0


def test_the_interval_is_of_the_difference_and_the_p_values_are_corrected(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path))
    records = made_records(plan, LEVELS)
    scores = TaskScores(plan, records, "ner")
    rows = compare(scores, task_board(plan, records, "ner"), "beta")
    others = ["alpha", "gamma", "zero"]
    paired = {method: scores.paired(method, [8]) for method in ["beta", *others]}
    assert all(values is not None for values in paired.values())
    mine, its = np.asarray(paired["beta"]), [np.asarray(paired[method]) for method in others]
    corrected = {row["method"]: row["p_value"] for row in rows if row["budget"] == 8}
    assert [corrected[method] for method in others] == pytest.approx(paired_permutations(mine, its))
    assert scores.difference_interval("beta", "beta", [8]) == (0.0, 0.0)


def test_a_hole_has_no_difference(tmp_path: Path) -> None:
    rows = compared(tmp_path, "ner", holes={("ner", "alpha", "nl", 8, 1): "error"})
    assert of(rows, "alpha", 8)["difference"] is None
    assert of(rows, "alpha")["p_value"] is None
    assert of(rows, "alpha", 32)["difference"] is not None


def test_it_is_written_for_readers_and_programs(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path))
    path = write_comparison(plan, made_records(plan, LEVELS), "ner", "beta")
    text = path.read_text()
    assert all(part in text for part in ("Beta against the others", "## 8 training examples", "## All budgets"))
    table = pd.read_csv(path.with_suffix(".csv"))
    assert len(table) == 3 * len(LEVELS)
    assert table.difference.isna().sum() == 3
