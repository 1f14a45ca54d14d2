"""Which rates are tried: as many for every method, near the best in the end, whatever fails."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import pytest

from harness.tune.space import COARSE, TRIALS, at_edge, best, next_rates, reached

LOW, HIGH = 1e-5, 1e-1
Score = Callable[[float], float | None]


def searched(score: Score) -> dict[float, float | None]:
    """All trials of a search in which a rate scores so."""
    tried: dict[float, float | None] = {}
    while rates := next_rates(LOW, HIGH, tried):
        tried |= {rate: score(rate) for rate in rates}
    return tried


@pytest.mark.parametrize("top", [1e-7, 1e-5, 7e-5, 3e-4, 2e-3, 5e-2, 4.0])
def test_the_best_is_near_the_top_of_one_hill_after_as_many_trials(top: float) -> None:
    tried = searched(lambda rate: -abs(log(rate / top)))
    found = best(tried)
    assert len(tried) == TRIALS
    assert found is not None
    assert abs(log(found / top)) <= log(10) / 4 + 0.01 or top in (1e-7, 4.0)
    assert at_edge(list(tried), found) == (top in (1e-7, 4.0))


def test_the_first_rates_are_the_decades_of_the_range() -> None:
    assert next_rates(LOW, HIGH, {}) == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    assert len(next_rates(LOW, HIGH, {})) == COARSE


def test_what_was_tried_before_is_not_tried_again() -> None:
    assert next_rates(LOW, HIGH, {1e-4: 1.0, 1e-2: None}) == [1e-5, 1e-3, 1e-1]


def test_rates_that_fail_are_passed_over() -> None:
    tried = searched(lambda rate: None if rate > 5e-4 else rate)
    assert best(tried) == pytest.approx(3.16e-4)


def test_a_search_in_which_all_fails_ends_and_has_no_best() -> None:
    tried = searched(lambda rate: None)
    assert (best(tried), len(tried)) == (None, COARSE)


def test_of_rates_that_score_the_same_the_middle_one_is_taken() -> None:
    assert best({1e-5: 0.0, 1e-4: 3.0, 1e-3: 3.0, 1e-2: 3.0, 1e-1: None}) == 1e-3


BUDGETS = {1: 4, 4: 4, 9: 4, 10: 10, 64: 10, 100: 100, 999: 100, 1000: 1000, 5000: 1000}


@pytest.mark.parametrize(("budget", "power"), BUDGETS.items())
def test_a_budget_belongs_to_the_power_of_ten_that_it_reaches(budget: int, power: int) -> None:
    assert reached(budget) == power
