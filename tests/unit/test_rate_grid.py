"""The benchmark that sets a grid beside a search: which rates it has, and what it says of the choice."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.rate_grid import grid, page
from harness.base.files import write_json
from harness.contracts.plan import Line

SEARCHED = {1e-4: 40.0, 1e-3: 44.0, 1e-2: None}


def told(folder: Path, direction: str, scores: dict[float, float | None]) -> tuple[str, float]:
    """What is said of a search that chose 1e-3 beside these scores of a grid."""
    trials = [{"rates": {"lr": rate}, "score": score} for rate, score in SEARCHED.items()]
    note = {"train": {"lr": 1e-3}, "trials": trials, "domains": ["en"], "seeds": [0, 1]}
    write_json(folder / "search.json", note)
    task = SimpleNamespace(metric="f1", direction=direction)
    plan: Any = SimpleNamespace(tasks={"ner": task})
    job: Any = SimpleNamespace(
        task="ner", method="finetune", budgets=[100], lines=[Line("lr", 1e-5, 1e-1, 1e-3)],
        done=str(folder / "search.json"),
    )  # fmt: skip
    return page(plan, job, scores)


def test_ten_points_are_three_a_decade_and_share_the_decades_with_a_search() -> None:
    rates = grid(1e-5, 1e-2, 10)
    assert (len(rates), rates[0], rates[-1]) == (10, 1e-5, 1e-2)
    assert {1e-4, 1e-3} < set(rates)
    assert all(later / rate == pytest.approx(10 ** (1 / 3), rel=0.01) for rate, later in pairwise(rates))


@pytest.mark.parametrize(("direction", "best", "behind"), [("max", 45.5, 1.5), ("min", 42.0, 2.0), ("max", 43.0, -1.0)])
def test_it_says_how_far_the_choice_is_behind(direction: str, best: float, behind: float, tmp_path: Path) -> None:
    other = 10.0 if direction == "max" else 90.0
    written, found = told(tmp_path, direction, {1e-5: other, 3e-4: best, 1e-2: None})
    assert found == pytest.approx(behind)
    assert "the search chose 0.001 (44.00)" in written
    assert f"the best of the grid is 0.0003 ({best:.2f})" in written
    assert "failed" in written
