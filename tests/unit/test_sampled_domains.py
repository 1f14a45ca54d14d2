"""Domains that are a sample of many: shown by their mean, their spread and their number, however many there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.contracts.plan import Plan
from harness.report.boards import _curves
from harness.table.figures import draw
from harness.table.leaderboard import task_board, write_leaderboards
from harness.table.markdown import listed
from harness.table.pivot import Sample, pivot
from harness.table.scores import TaskScores
from harness.table.tables import write_tables
from tests.unit.made_records import made_plan, made_records

LEVELS = {"alpha": 2.5, "beta": 1.5, "gamma": 0.5, "zero": -1.0}
RUNS = 4000
METHODS = {"alpha": "Alpha", "beta": "Beta", "zero": "Zero-shot"}


def sampled(folder: Path, count: int, **changes: object) -> tuple[Plan, pd.DataFrame]:
    """A plan over many domains that are a sample, and its records."""
    names = [f"persona_{number:02}" for number in range(count)]
    plan = made_plan(str(folder), ("lm",), domains=names, budgets=[8], methods=METHODS, **changes)
    plan = replace(plan, tasks={"lm": replace(plan.tasks["lm"], domains_are="sample")})
    return plan, made_records(plan, LEVELS)


@pytest.mark.parametrize("count", [3, 100])
def test_many_domains_are_shown_as_one(count: int, tmp_path: Path) -> None:
    plan, records = sampled(tmp_path, count, seeds=[0, 1])
    write_tables(plan, records)
    write_leaderboards(plan, records)
    for name in ("tables/lm.md", "leaderboard/lm.md"):
        page = (tmp_path / name).read_text()
        assert "persona_" not in page
        assert f"{count} domains" in page
        assert "spread" in page
    assert len((tmp_path / "tables/lm.csv").read_text().splitlines()) == 1 + 3 * (count + 1)  # all stand in the file
    figure = draw(TaskScores(plan, records, "lm"))
    assert [panel.get_title() for panel in figure.axes] == [f"mean over {count} domains"]
    scores = TaskScores(plan, records, "lm")
    page = str(_curves(scores, {}))
    assert f"mean over {count} domains" in page
    assert "persona_" not in page


def test_the_spread_is_that_of_the_domains_means(tmp_path: Path) -> None:
    plan, records = sampled(tmp_path, 5)
    scores = TaskScores(plan, records, "lm")
    mine = records[(records.method == "alpha") & records.primary.astype(bool)]
    means = mine.assign(log=np.log(mine.score.astype(float))).groupby("domain").log.mean()
    assert scores.spread("alpha", [8]) == pytest.approx(means.std(ddof=1))
    board = {str(row["method"]): row for row in task_board(plan, records, "lm")}
    assert board["alpha"]["spread"] == pytest.approx(means.std(ddof=1))
    assert board["alpha"]["domains"] == 5


def test_fixed_domains_are_shown_one_by_one_and_have_no_spread(tmp_path: Path) -> None:
    plan, records = sampled(tmp_path, 3)
    plan = replace(plan, tasks={"lm": replace(plan.tasks["lm"], domains_are="fixed")})
    scores = TaskScores(plan, records, "lm")
    assert scores.spread("alpha", [8]) is None
    write_tables(plan, records)
    page = (tmp_path / "tables/lm.md").read_text()
    assert "| persona_00 | persona_01 | persona_02 | mean over domains | seeds |" in page
    assert len(draw(scores).axes) == 4


def test_an_interval_of_a_sample_speaks_of_more_than_its_domains(tmp_path: Path) -> None:
    """Domains that differ widen it; the same domains, taken as fixed, do not."""
    plan, records = sampled(tmp_path, 6)
    fixed = replace(plan, tasks={"lm": replace(plan.tasks["lm"], domains_are="fixed")})
    shift = {name: 0.3 * number for number, name in enumerate(plan.tasks["lm"].domains)}
    moved = records.assign(score=records.score.astype(float) * np.exp(records.domain.map(shift)))
    wide, narrow = (TaskScores(its, moved, "lm").value("alpha", its.tasks["lm"].domains, [8]) for its in (plan, fixed))
    assert wide.mean == pytest.approx(narrow.mean)
    assert wide.low is not None
    assert wide.high is not None
    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.high / wide.low > 1.5 * narrow.high / narrow.low


def test_a_hole_leaves_no_spread(tmp_path: Path) -> None:
    plan, _ = sampled(tmp_path, 3)
    records = made_records(plan, LEVELS, {("lm", "alpha", "persona_01", 8, 0): "error"})
    scores = TaskScores(plan, records, "lm")
    assert scores.spread("alpha", [8]) is None
    assert scores.spread("beta", [8]) is not None
    write_tables(plan, records)
    write_leaderboards(plan, records)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("count", [4, 6, 20])
def test_intervals_cover_what_they_say_whatever_differs_most(seeds: int, count: int) -> None:
    """Simulated: seeds, domains and their interaction, each large or small, at a nominal 95%."""
    for seed_spread, domain_spread, rest in [(1.0, 1.0, 0.5), (0.1, 1.0, 0.5), (1.0, 0.1, 0.5), (0.1, 0.1, 1.0)]:
        draw = np.random.default_rng([seeds, count, round(10 * seed_spread), round(10 * domain_spread)])
        table = seed_spread * draw.normal(size=(RUNS, seeds, 1)) + domain_spread * draw.normal(size=(RUNS, 1, count))
        table = table + rest * draw.normal(size=(RUNS, seeds, count))
        found = pivot(Sample(table.mean(axis=-1), (table,)))
        assert found is not None
        low, high = found.interval()
        covered = float(((low <= 0) & (high >= 0)).mean())
        assert covered > 0.935, (seed_spread, domain_spread, rest)
        assert (found.p_value() <= 0.05).mean() == pytest.approx(1 - covered)


@pytest.mark.parametrize(("count", "shown"), [(12, 12), (13, 3)])
def test_many_names_are_told_by_their_number(count: int, shown: int) -> None:
    names = [f"persona_{number:02}" for number in range(count)]
    assert listed(names).count("persona_") == shown
    assert listed(names) == ", ".join(names) or listed(names).startswith(f"{count} domains, ")
