"""`headstart compare`: signs, intervals, corrections and holes, on made-up records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.table.comparison import compare, write_comparison
from harness.table.leaderboard import task_board
from harness.table.pivot import holm, pivot
from harness.table.rows import ALL, Row
from harness.table.scores import TaskScores
from tests.unit.made_records import made_plan, made_records

LEVELS = {"alpha": 60.0, "beta": 50.0, "gamma": 49.5, "zero": 10.0}


def compared(folder: Path, task: str, method: str = "beta", **options: object) -> list[Row]:
    plan = made_plan(str(folder))
    records = made_records(plan, LEVELS, **options)  # type: ignore[arg-type]
    return compare(TaskScores(plan, records, task), task_board(plan, records, task), method)


def of(rows: list[Row], method: str, budget: object = ALL) -> Row:
    return next(row for row in rows if row["method"] == method and row["budget"] == budget)


@pytest.mark.parametrize("task", ["ner", "lm"])
def test_a_positive_difference_speaks_for_the_method(task: str, tmp_path: Path) -> None:
    rows = compared(tmp_path, task)
    assert [rows[0][name] for name in ("method", "difference", "p_value")] == ["beta", None, None]
    for method in ("alpha", "zero"):
        row, mine = of(rows, method), of(rows, "beta")
        its, own = float(str(row["mean"])), float(str(mine["mean"]))
        # A perplexity's difference is the logarithm of how many times larger the other's is.
        assert row["difference"] == pytest.approx(own - its if task == "ner" else np.log(its / own))
        assert row["scale"] == ("difference" if task == "ner" else "log_ratio")
        low, high = float(str(row["difference_low"])), float(str(row["difference_high"]))
        assert low < float(str(row["difference"])) < high
    assert float(str(of(rows, "zero")["difference"])) > 0


def test_interval_and_p_agree_and_the_correction_is_holms(tmp_path: Path) -> None:
    for task in ("ner", "lm"):
        rows = [row for row in compared(tmp_path, task) if row["budget"] == 8 and row["method"] != "beta"]
        raw = [float(str(row["p_value"])) for row in rows]
        assert [row["p_holm"] for row in rows] == pytest.approx(list(holm(raw)))
        for row, p_value in zip(rows, raw, strict=True):
            low, high = float(str(row["difference_low"])), float(str(row["difference_high"]))
            assert (p_value <= 0.05) == (low >= 0 or high <= 0)
            assert float(str(row["smallest_detectable"])) > (high - low) / 2


def test_seeds_differ_less_than_a_method_from_itself_elsewhere(tmp_path: Path) -> None:
    """Differences are paired: what seeds and examples do to both methods alike goes out."""
    plan = made_plan(str(tmp_path))
    scores = TaskScores(plan, made_records(plan, LEVELS), "ner")
    mine, its = scores.sample("beta", [8]), scores.sample("beta", [8])
    assert mine is not None
    assert its is not None
    same = pivot(mine - its)
    assert same is not None
    assert (same.interval(), same.p_value()) == ((0.0, 0.0), 1.0)


def test_a_single_seed_has_a_difference_and_no_test(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), seeds=[4])
    records = made_records(plan, {"beta": 1.5, "zero": -1.0})
    rows = compare(TaskScores(plan, records, "ner"), task_board(plan, records, "ner"), "beta")
    row = of(rows, "zero")
    assert float(str(row["difference"])) > 0
    assert [row[name] for name in ("difference_low", "p_value", "p_holm", "smallest_detectable")] == [None] * 4


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
