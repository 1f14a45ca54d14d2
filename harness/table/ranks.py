"""Ranks, tie groups and resolution: which methods of a board its test tells apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.table.moderated import moderated
from harness.table.pivot import SIGNIFICANCE, Pivot, Sample, holm, joined, pivot, stacked


@dataclass(frozen=True)
class Rank:
    """A method's place: equal means share a rank; `p_value` is corrected, against the group's leader.

    Of a single seed there is no test, and so no group.
    """

    method: str
    rank: int
    group: int | None
    leader: str | None
    p_value: float | None


class Duels:
    """Every pair of a board's methods, tested once: p-values are corrected over all pairs (Holm, 1979).

    All pairs, since the leader is itself chosen by its score: of twenty methods that are alike, the best and the
    worst would be told apart in every second table if only the pairs with the leader were counted. The variance over
    seeds of each pair is moderated by those of the pairs of `contenders`.
    """

    def __init__(self, samples: Mapping[str, Sample], contenders: Collection[str] = ()) -> None:
        self.methods = list(samples)
        self._places = {pair: place for place, pair in enumerate(combinations(self.methods, 2))}
        self.detectable: dict[tuple[str, str], float] = {}
        self._corrected: dict[tuple[str, str], float] = {}
        self._found: Pivot | None = None
        whole = stacked(list(samples.values())) if samples else None
        rows = [pivot(samples[method] - whole[at + 1 :]) for at, method in enumerate(self.methods[:-1]) if whole]
        known = [row for row in rows if row is not None]
        if not known:  # a single method, or a single seed
            return
        its = [method for method in self.methods if method in contenders]
        learned = np.array([one in its and other in its for one, other in self._places])
        self._found = moderated(joined(known), learned, len(its))
        self.detectable = dict(zip(self._places, self._found.smallest_detectable().tolist(), strict=True))
        self._corrected = dict(zip(self._places, holm(self._found.p_value()).tolist(), strict=True))

    def pair(self, method: str, other: str) -> Pivot | None:
        """The pivot of `method` minus `other`; None where there is no such pair or a single seed."""
        if self._found is None:
            return None
        if (method, other) in self._places:
            return self._found[self._places[method, other]]
        place = self._places.get((other, method))
        return None if place is None else -self._found[place]

    def p_value(self, method: str, other: str) -> float | None:
        """The corrected p-value of a pair; None where there is a single seed."""
        return self._corrected.get((method, other), self._corrected.get((other, method)))

    def smallest_detectable(self, method: str, other: str) -> float | None:
        """The smallest difference that a pair's own test, before the correction, sees with 80% power."""
        return self.detectable.get((method, other), self.detectable.get((other, method)))

    def resolution(self, contenders: Collection[str]) -> float | None:
        """The share of pairs of contenders that are told apart; None where there is no pair or a single seed."""
        found = [self.p_value(*pair) for pair in combinations([m for m in self.methods if m in contenders], 2)]
        known = [p for p in found if p is not None]
        return sum(p <= SIGNIFICANCE for p in known) / len(known) if known else None

    def typical_detectable(self, contenders: Collection[str]) -> float | None:
        """The median over pairs of contenders of the smallest detectable difference."""
        pairs = combinations([method for method in self.methods if method in contenders], 2)
        found = [value for pair in pairs if (value := self.smallest_detectable(*pair)) is not None]
        return float(np.median(found)) if found else None


def rank_methods(samples: Mapping[str, Sample], duels: Duels, direction: str) -> list[Rank]:
    """Methods from best to worst by their mean on the metric's scale, with tie groups.

    The best method leads group 1, and all that the corrected test does not tell from it at 5% are in its group; the
    best of the others leads the next group, and so on. A noisy method can thus share a group with a better leader
    than a steady method ranked just above it.
    """
    sign = -1.0 if direction == "max" else 1.0
    means = {method: sign * float(np.mean(sample.values)) for method, sample in samples.items()}
    ordered = sorted(means, key=lambda method: means[method])
    tested = all(sample.values.shape[-1] > 1 for sample in samples.values())
    found: dict[str, tuple[int | None, str | None, float | None]] = {}
    left, group = ordered if tested else [], 0
    while left:
        group += 1
        leader, others = left[0], left[1:]
        found[leader] = group, leader, None
        p_values = {other: duels.p_value(leader, other) for other in others}
        found |= {m: (group, leader, p) for m, p in p_values.items() if p is not None and p > SIGNIFICANCE}
        left = [method for method in others if method not in found]
    return [
        Rank(method, 1 + sum(mean < means[method] for mean in means.values()), *found.get(method, (None, None, None)))
        for method in ordered
    ]
