"""Moderated tests of a board hold their level, and tell more apart, whatever the noise of its methods."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.table.influence import Floats
from harness.table.moderated import moderated, prior_of
from harness.table.pivot import Pivot, Sample, pivot, stacked
from harness.table.ranks import Duels

BOARDS = 200
SLACK = 2 * np.sqrt(0.05 * 0.95 / BOARDS)
Spread = Callable[[np.random.Generator, int], Floats]
SPREADS: dict[str, Spread] = {
    "alike": lambda draw, methods: np.ones(methods),
    "a little different": lambda draw, methods: np.exp(0.5 * draw.normal(size=methods)),
    "very different": lambda draw, methods: np.exp(draw.normal(size=methods)),
    "one noisy": lambda draw, methods: np.r_[5.0, np.ones(methods - 1)],
    "half noisy": lambda draw, methods: np.r_[np.full(methods // 2, 5.0), np.ones(methods - methods // 2)],
    "a third still": lambda draw, methods: np.r_[np.full(methods // 3, 0.05), np.ones(methods - methods // 3)],
}


def board(draw: np.random.Generator, spread: Spread, methods: int, seeds: int, step: float = 0.0) -> dict[str, Sample]:
    """Methods whose true scores are `step` apart; a seed moves all of them, and each by its own noise."""
    noise = spread(draw, methods)[:, None] * draw.normal(size=(methods, seeds)) + draw.normal(size=seeds)
    return {str(place): Sample(row + step * place) for place, row in enumerate(noise)}


def parted(spread: Spread, methods: int, seeds: int) -> float:
    """The share of boards of equals on which any two are told apart."""
    draw = np.random.default_rng([methods, seeds])
    boards = (board(draw, spread, methods, seeds) for _ in range(BOARDS))
    return float(np.mean([(Duels(its, its).resolution(its) or 0) > 0 for its in boards]))


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize(("methods", "seeds"), [(4, 3), (12, 3)])
def test_a_board_of_equals_is_parted_as_seldom_as_it_says(spread: str, methods: int, seeds: int) -> None:
    assert parted(SPREADS[spread], methods, seeds) <= 0.05 + SLACK


def test_three_seeds_tell_far_more_apart_than_by_their_own_pairs() -> None:
    draw = np.random.default_rng(0)
    boards = [board(draw, SPREADS["alike"], 12, 3, step=2.0) for _ in range(20)]
    assert np.mean([Duels(its).resolution(its) for its in boards]) < 0.2
    assert np.mean([Duels(its, its).resolution(its) for its in boards]) > 0.6


@pytest.mark.parametrize(("degrees", "prior", "typical"), [(2, 4.0, 0.5), (4, 10.0, 3.0), (2, np.inf, 1.0)])
def test_the_prior_is_found_again(degrees: int, prior: float, typical: float) -> None:
    """Of many independent variances that are drawn from one."""
    draw = np.random.default_rng(7)
    truth = np.full(40_000, typical) if prior == np.inf else typical * prior / draw.chisquare(prior, size=40_000)
    found, its = prior_of(truth * draw.chisquare(degrees, size=truth.size) / degrees, degrees)
    assert its == pytest.approx(typical, rel=0.05)
    assert found == pytest.approx(prior, rel=0.15) if prior < np.inf else found > 100


def pairs_of(*samples: Sample) -> Pivot:
    found = pivot(stacked(samples))
    assert found is not None
    return found


def test_what_no_seed_moves_and_too_few_contenders_stay_as_they_are() -> None:
    still, one, other = (Sample(np.array(its)) for its in ([2.0, 2.0, 2.0], [1.0, 2.0, 4.0], [0.0, 9.0, 1.0]))
    pairs = pairs_of(still, one, other)
    learned = np.array([False, True, True])
    assert moderated(pairs, learned, methods=2) is pairs
    found = moderated(pairs, learned, methods=3)
    assert (found.seed_part[0], found.prior_degrees[0]) == (0.0, 0.0)
    assert min(pairs.seed_part[1:]) < found.seed_part[1] < max(pairs.seed_part[1:])
    assert found.prior_degrees[1] == pytest.approx(2 / 3)  # a third of what three methods of three seeds have left
    assert found[1].p_value() == found.p_value()[1]
    contenders_alike = moderated(pairs, np.array([True, True, True]), methods=3)
    assert contenders_alike.seed_part[0] > 0  # that three seeds of a contender are equal is chance


def test_a_pair_is_the_same_from_both_sides() -> None:
    its = board(np.random.default_rng(1), SPREADS["alike"], 5, 3, step=1.0)
    duels = Duels(its, its)
    mine, other = duels.pair("3", "1"), duels.pair("1", "3")
    assert mine is not None
    assert other is not None
    assert float(mine.estimate) == -float(other.estimate)
    assert float(mine.estimate) == pytest.approx(float((its["3"] - its["1"]).values.mean()))
    assert mine.p_value() == other.p_value()
    assert duels.pair("3", "3") is None
