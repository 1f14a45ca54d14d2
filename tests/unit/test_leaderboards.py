"""Leaderboards of made-up records: ranks, ties, controls, holes and costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.contracts.plan import Plan
from harness.table.comparison import write_comparison
from harness.table.leaderboard import write_leaderboards
from harness.table.tables import write_tables
from tests.unit.made_records import made_plan, made_records
from tests.unit.test_tables import HOLE, LEVELS, plan, table, text, with_leak

__all__ = ["plan"]  # the fixture


@pytest.mark.parametrize("task", ["ner", "lm"])
def test_leaderboard_ranks_the_best_first(plan: Plan, task: str) -> None:
    write_leaderboards(plan, made_records(plan, LEVELS, noise=0.2))
    board = table(plan, f"leaderboard/{task}.csv")
    assert list(dict.fromkeys(board.budget)) == ["8", "32", "all"]
    for _, rows in board.groupby("budget"):
        assert list(rows.method) == ["alpha", "beta", "gamma", "zero"]
        assert list(rows["rank"]) == [1, 2, 3, 4]
        assert rows["mean"].is_monotonic_decreasing == (task == "ner")
        assert list(rows.control) == [False, False, False, True]
        assert rows.tie_group.iloc[0] == 1
        assert rows.tie_group.iloc[-1] > 1  # three seeds suffice where methods are far apart
        assert rows.smallest_detectable.gt(0).all()
        assert rows.resolution.nunique() == rows.typical_detectable.nunique() == 1
    overall = board[board.budget == "all"].set_index("method")["mean"]
    of_budgets = board[board.method == "alpha"]["mean"][:2]
    mean = of_budgets.mean() if task == "ner" else np.exp(np.log(of_budgets).mean())  # perplexities as logarithms
    assert overall["alpha"] == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize("task", ["ner", "lm"])
def test_pages_say_what_can_be_seen(plan: Plan, task: str) -> None:
    records = made_records(plan, LEVELS, HOLE, noise=0.2)
    write_leaderboards(plan, records)
    write_tables(plan, records)
    board, page = text(plan, f"leaderboard/{task}.md"), text(plan, f"tables/{task}.md")
    assert "Resolution: " in board
    assert "(Smyth, 2004). *Detectable*" in board
    assert "| 1 | 1 | Alpha \\| one | `alpha` |" in board
    assert "Zero-shot (control)" in board
    seen = [line for line in page.splitlines() if line.startswith("Smallest true difference")]
    assert len(seen) == 2  # one a budget
    assert all(("%." in line) == (task == "lm") for line in seen)
    for where in (board, page):
        assert "Best control: Zero-shot; every contender is above it." in where
    geometric = "geometric mean over seeds"
    assert (geometric in page) == (task == "lm")


def test_more_pairs_make_tie_groups(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), seeds=[0, 1, 2, 3, 4])
    write_leaderboards(plan, made_records(plan, LEVELS | {"beta": 2.5}, noise=0.5))
    rows = table(plan, "leaderboard/lm.csv").query("budget == 'all'").set_index("method")
    assert rows.loc["alpha", "tie_group"] == rows.loc["beta", "tie_group"] == 1
    assert {rows.loc["alpha", "tied_with"], rows.loc["beta", "tied_with"]} - {"alpha", "beta"}  # the leader has none
    assert rows.loc["gamma", "tie_group"] == 2
    assert rows.loc["zero", "tie_group"] == 3


def test_what_is_not_above_a_control_is_named(plan: Plan) -> None:
    records = made_records(plan, LEVELS | {"zero": 1.45, "beta": 1.5}, noise=0.5)
    write_leaderboards(plan, records)
    write_tables(plan, records)
    rows = table(plan, "leaderboard/lm.csv").query("budget == 'all'").set_index("method")
    assert rows.above_control.to_dict() == {
        "alpha": "yes", "beta": "not told apart", "gamma": "no", "zero": pytest.approx(np.nan, nan_ok=True),
    }  # fmt: skip
    sentence = "Best control: Zero-shot; not above it: Gamma; not told apart from it: Beta."
    assert sentence in text(plan, "leaderboard/lm.md")
    assert sentence in text(plan, "tables/lm.md")
    assert sentence in write_comparison(plan, records, "lm", "alpha").read_text()


def test_leaderboard_lists_holes_last_and_unranked(plan: Plan) -> None:
    write_leaderboards(plan, made_records(plan, {"beta": 9.0}, HOLE))
    board = table(plan, "leaderboard/ner.csv")
    last = board[board.budget == "8"].iloc[-1]
    assert (last.method, last.coverage, last.statuses) == ("beta", "4/6", "error:1 timeout:1")
    assert np.isnan(last["rank"])
    assert np.isnan(last["mean"])
    assert board[board.budget == "32"].iloc[0].method == "beta"
    assert board[board.budget == "32"].iloc[0].coverage == "6/6"
    assert board[board.budget == "all"].iloc[-1].coverage == "10/12"


def test_leaderboard_costs(plan: Plan) -> None:
    write_leaderboards(plan, made_records(plan, LEVELS))
    rows = table(plan, "leaderboard/ner.csv").query("budget == 'all'").set_index("method")
    alpha, zero = rows.loc["alpha"], rows.loc["zero"]
    assert alpha.trained_share == pytest.approx(0.01)
    assert (alpha.trained_parameters, alpha.stored_bytes) == (100, 400)
    assert alpha.adaptation_seconds == pytest.approx(3.0)
    assert alpha.peak_rss_mib == 102
    assert alpha.preparation_seconds == 36  # three checkpoints, each shared by two domains and two budgets
    assert alpha.preparation_seconds_spread == 6
    assert (alpha.preparation_flops, alpha.preparation_flops_spread) == (3e9, 5e8)
    assert alpha.preparation_peak_rss_mib == 300
    assert zero.preparation_seconds == 0
    assert np.isnan(zero.trained_parameters)


def test_overall_takes_no_mean_over_holes(plan: Plan) -> None:
    write_leaderboards(plan, made_records(plan, LEVELS, HOLE, noise=0.2))
    overall = table(plan, "leaderboard/overall.csv")
    assert list(overall.method) == ["alpha", "gamma", "zero", "beta"]
    alpha, beta = overall.iloc[0], overall.iloc[-1]
    assert (alpha["rank"], alpha.mean_rank, alpha.tasks, alpha.coverage) == (1, 1, "2/2", "24/24")
    assert np.isnan(beta["rank"])
    assert np.isnan(beta.mean_rank)
    assert np.isnan(beta.mean_ner)
    assert beta.mean_lm > 0
    assert (beta.coverage, beta.coverage_ner) == ("22/24", "10/12")


def test_a_leaking_method_has_no_rank_where_the_future_is_the_answer(tmp_path: Path) -> None:
    plan, records = with_leak(tmp_path)
    write_leaderboards(plan, records)
    for name, ranked in (("ner", 5), ("lm", 4)):
        board = table(plan, f"leaderboard/{name}.csv").query("budget == 'all'").set_index("method")
        assert sorted(board["rank"].dropna()) == list(range(1, ranked + 1))
        assert board.loc["leaky", "mean"] > 0
        assert board.loc["leaky", "leaks"] == (name == "lm")
        assert np.isnan(board.loc["leaky", "rank"]) == (name == "lm")
        assert np.isnan(board.loc["leaky", "tie_group"]) == (name == "lm")
        assert list(board.index)[0 if name == "ner" else -1] == "leaky"
        assert board.loc["alpha", "rank"] == (1 if name == "lm" else 2)
        assert not board.drop("leaky").leaks.any()
    without = made_plan(str(tmp_path / "without"))
    write_leaderboards(without, records[records.method != "leaky"])
    alone, beside = (table(its, "leaderboard/lm.csv").set_index(["method", "budget"]) for its in (without, plan))
    # The others' ranks, ties and p-values do not know of it.
    pd.testing.assert_frame_equal(beside.drop("leaky"), alone, check_dtype=False)
    overall = table(plan, "leaderboard/overall.csv").set_index("method")
    assert list(overall.index)[-1] == "leaky"
    assert np.isnan(overall.loc["leaky", "mean_rank"])
    assert overall.loc["leaky", "leaks"]
    assert overall.loc["alpha", "rank"] == 1
