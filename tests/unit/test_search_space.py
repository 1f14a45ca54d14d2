"""Which rates are tried: as many for every method, near the best in the end, whatever fails."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import pytest

from harness.contracts.plan import Line
from harness.tune.space import COARSE, TRIALS, Point, at_edge, best, next_points, reached

LOW, HIGH = 1e-5, 1e-1
ONE = [Line("lr", LOW, HIGH, 1e-3)]
TWO = [Line("outer.lr", LOW, HIGH, 2e-3), Line("inner.lr", 1e-4, 1.0, 0.03)]
THREE = [*TWO, Line("outer.controller_lr", 1e-4, 1.0, 0.01)]


def searched(score: Callable[..., float | None], lines: list[Line] = ONE) -> dict[Point, float | None]:
    """All trials of a search in which rates score so."""
    tried: dict[Point, float | None] = {}
    while points := next_points(lines, tried):
        assert not set(points) & set(tried), "nothing is tried twice"
        tried |= {point: score(*point) for point in points}
    return tried


def hill(*top: float) -> Callable[..., float]:
    """A score that falls with the distance of each rate from its best."""
    return lambda *point: -sum(abs(log(rate / best)) for rate, best in zip(point, top, strict=True))


@pytest.mark.parametrize("top", [1e-7, 1e-5, 7e-5, 3e-4, 2e-3, 5e-2, 4.0])
def test_the_best_is_near_the_top_of_one_hill_after_as_many_trials(top: float) -> None:
    tried = searched(hill(top))
    found = best(tried)
    assert len(tried) == TRIALS
    assert found is not None
    assert abs(log(found[0] / top)) <= log(10) / 4 + 0.01 or top in (1e-7, 4.0)
    assert at_edge(tried, found) == (top in (1e-7, 4.0))


@pytest.mark.parametrize("top", [(2e-5, 0.01), (3e-4, 0.3), (4e-2, 0.004)])
def test_two_rates_have_as_many_trials_and_end_near_the_best_of_both(top: tuple[float, float]) -> None:
    tried = searched(hill(*top), TWO)
    found = best(tried)
    assert len(tried) == TRIALS
    assert found is not None
    assert [abs(log(rate / its)) <= log(10) / 2 + 0.01 for rate, its in zip(found, top, strict=True)] == [True, True]


def test_the_first_rate_is_walked_then_the_second_then_the_first_nearer_from_where_that_moved() -> None:
    tried = list(searched(hill(3e-4, 0.3), TWO))
    assert [outer for outer, inner in tried[:COARSE] if inner == 0.03] == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    assert tried[COARSE:] == [(1e-4, 0.003), (1e-4, 0.3), (3.16e-5, 0.3), (3.16e-4, 0.3)]


def test_of_three_rates_each_is_tried() -> None:
    tried = list(searched(hill(3e-4, 0.3, 0.1), THREE))
    assert len(tried) == TRIALS
    assert {controller for *_, controller in tried} == {0.001, 0.01, 0.1}
    assert len({inner for _, inner, _ in tried}) == 3


def test_the_first_rates_are_the_decades_of_the_range() -> None:
    assert next_points(ONE, {}) == [(1e-5,), (1e-4,), (1e-3,), (1e-2,), (1e-1,)]
    assert len(next_points(ONE, {})) == COARSE


def test_what_was_tried_before_is_not_tried_again() -> None:
    assert next_points(ONE, {(1e-4,): 1.0, (1e-2,): None}) == [(1e-5,), (1e-3,), (1e-1,)]


def test_rates_that_fail_are_passed_over() -> None:
    found = best(searched(lambda rate: None if rate > 5e-4 else rate))
    assert found == (pytest.approx(3.16e-4),)
    diverged = searched(lambda outer, inner: None if outer > 5e-4 or inner > 0.1 else outer + inner, TWO)
    assert best(diverged) == (pytest.approx(3.16e-4), 0.03)


@pytest.mark.parametrize("lines", [ONE, TWO], ids=["one", "two"])
def test_a_search_in_which_all_fails_ends_and_has_no_best(lines: list[Line]) -> None:
    tried = searched(lambda *_: None, lines)
    assert (best(tried), len(tried)) == (None, COARSE)


def test_of_rates_that_score_the_same_the_middle_one_is_taken() -> None:
    assert best({(1e-5,): 0.0, (1e-4,): 3.0, (1e-3,): 3.0, (1e-2,): 3.0, (1e-1,): None}) == (1e-3,)


def test_a_rate_that_was_tried_at_one_value_alone_is_at_no_edge() -> None:
    tried = [(1e-4, 0.03), (1e-3, 0.03), (1e-2, 0.03)]
    assert not at_edge(tried, (1e-3, 0.03))
    assert at_edge(tried, (1e-2, 0.03))
    assert at_edge([*tried, (1e-3, 0.3)], (1e-3, 0.3))


BUDGETS = {1: 4, 4: 4, 9: 4, 10: 10, 64: 10, 100: 100, 999: 100, 1000: 1000, 5000: 1000}


@pytest.mark.parametrize(("budget", "power"), BUDGETS.items())
def test_a_budget_belongs_to_the_power_of_ten_that_it_reaches(budget: int, power: int) -> None:
    assert reached(budget) == power
