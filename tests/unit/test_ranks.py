"""Ranks, tie groups and resolution against computation by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from harness.table.pivot import Sample, holm
from harness.table.ranks import Duels, Rank, rank_methods

BASE = np.array([0.0, 0.4, 0.1, 0.5, 0.2])
WOBBLE = np.array([0.01, -0.02, 0.03, 0.0, -0.01])


def samples(**levels: float) -> dict[str, Sample]:
    """Methods that differ by their level and a little more, over five seeds that they share."""
    return {
        name: Sample(BASE + level + WOBBLE * (1 + place) ** 2) for place, (name, level) in enumerate(levels.items())
    }


def ranked(of: dict[str, Sample], direction: str = "max") -> list[Rank]:
    return rank_methods(of, Duels(of), direction)


def test_ranks_follow_the_direction() -> None:
    found = samples(low=0, high=10, middle=5)
    found["twin"] = found["middle"]
    best_high = ranked(found)
    assert [(rank.method, rank.rank) for rank in best_high] == [("high", 1), ("middle", 2), ("twin", 2), ("low", 4)]
    assert [rank.method for rank in ranked(found, "min")] == ["low", "middle", "twin", "high"]
    assert [rank.group for rank in best_high] == [1, 2, 2, 3]
    assert best_high[2].leader == "middle"
    assert best_high[0].p_value is None


def test_p_values_are_corrected_over_all_pairs() -> None:
    of = samples(a=0.0, b=0.05, c=0.1, d=1.0)
    duels = Duels(of)
    pairs = list(combinations(of, 2))
    raw = [stats.ttest_rel(of[one].values, of[other].values).pvalue for one, other in pairs]
    for (one, other), expected in zip(pairs, holm(raw), strict=True):
        assert duels.p_value(one, other) == pytest.approx(expected)
        assert duels.p_value(other, one) == duels.p_value(one, other)


def test_resolution_is_the_share_of_pairs_told_apart() -> None:
    of = samples(a=0.0, b=0.0, c=5.0, d=9.0)
    duels = Duels(of)
    assert duels.resolution(["a", "b", "c", "d"]) == pytest.approx(5 / 6)
    assert duels.resolution(["a", "b"]) == 0.0
    assert duels.resolution(["c", "d"]) == 1.0
    assert duels.resolution(["c"]) is None
    typical = duels.typical_detectable(["a", "c"])
    assert typical == duels.smallest_detectable("c", "a")
    assert duels.typical_detectable(["a"]) is None


def test_of_a_single_seed_nothing_is_told_apart() -> None:
    of = {name: Sample(np.array([level])) for name, level in (("good", 90.0), ("bad", 10.0))}
    found = ranked(of)
    assert [(rank.method, rank.rank, rank.group, rank.p_value) for rank in found] == [
        ("good", 1, None, None),
        ("bad", 2, None, None),
    ]
    assert Duels(of).resolution(of) is None


def test_no_method_has_no_rank() -> None:
    assert ranked({}) == []
    assert Duels({}).resolution([]) is None
