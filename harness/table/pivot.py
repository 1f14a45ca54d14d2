"""One pivot for every interval, test and power: (estimate - truth) / standard error.

The unit is the seed: one prepared checkpoint a seed serves all domains and budgets, so a seed's mean over them is one
draw. The second part of the variance is the test examples', which all seeds share; or, where the domains are a sample
of many, the domains', which hold their examples. With S seeds and n examples that are crossed, the variance of a mean
is

    A + max(B - C, 0),  A = MS(seeds) / (S n),  B = MS(examples) / (S n),  C = MS(seeds x examples) / (S n)

(Searle, Casella and McCulloch, 1992, section 4.3: A holds the part of the interaction that B - C leaves out).
A has S - 1 degrees of freedom; B - C has Satterthwaite's (1946). For the sum of both, one t with Satterthwaite's
degrees for the whole is too bold with few seeds: of 3 seeds its 95% intervals cover 92%, and where Holm asks for
p < 0.0005 it rejects up to 27 times too often (`tests/unit/test_pivot_simulated.py` holds what is used here to its
level). So its quantiles are those of Cochran and Cox (1957, section 4.14): the means of both parts' t quantiles,
weighed by A and by B - C. They are exact where one part is all there is, and conservative between (Mickey and Brown,
1966). Interval, p, power, smallest detectable difference and seeds needed are made of them, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import nctdtr, nctdtrinc, stdtr, stdtrit

from harness.table.influence import Floats

LEVEL = 0.95
SIGNIFICANCE = 1 - LEVEL
POWER = 0.8
MOST_SEEDS = 1000  # more than anybody runs
HALVINGS = 60
TINY = 1e-300  # logarithms need something


@dataclass(frozen=True)
class Sample:
    """What a mean is made of: a value a seed, and how the second part moves them. Differences are samples too.

    `values` are [..., S]; `others` are the seeds by examples of each domain, [..., S, n], or by sampled domains, each
    on the scale of its share in `values`.
    """

    values: Floats
    others: tuple[Floats, ...] = ()

    def __sub__(self, other: Sample) -> Sample:
        pairs = zip(self.others, other.others, strict=True)
        return Sample(self.values - other.values, tuple(mine - its for mine, its in pairs))

    def __getitem__(self, rows: slice) -> Sample:
        """Some of several samples."""
        return Sample(self.values[rows], tuple(table[rows] for table in self.others))


def stacked(samples: Sequence[Sample]) -> Sample:
    """Several samples as one, along a new first axis."""
    values: Floats = np.stack([sample.values for sample in samples])
    return Sample(values, tuple(np.stack(tables) for tables in zip(*(its.others for its in samples), strict=True)))


@dataclass(frozen=True)
class Pivot:
    """An estimate with both parts of its variance; fields are arrays of one shape, as are all answers."""

    estimate: Floats
    seed_part: Floats
    other_part: Floats
    other_degrees: Floats
    seeds: int
    prior_degrees: Floats = field(default_factory=lambda: np.zeros(()))  # of the seeds' part, beside its own

    def __getitem__(self, place: int) -> Pivot:
        """One of several pivots."""
        parts = (self.estimate, self.seed_part, self.other_part, self.other_degrees, self.prior_degrees)
        estimate, seeds, others, degrees, prior = (part[place] if part.ndim else part for part in parts)
        return Pivot(estimate, seeds, others, degrees, self.seeds, prior)

    def __neg__(self) -> Pivot:
        """Of the opposite difference."""
        return replace(self, estimate=-self.estimate)

    @property
    def seed_degrees(self) -> Floats:
        """The degrees of freedom of the seeds' part."""
        return self.seeds - 1.0 + self.prior_degrees

    @property
    def standard_error(self) -> Floats:
        """The root of both parts' sum."""
        return np.sqrt(self.seed_part + self.other_part)

    def interval(self) -> tuple[Floats, Floats]:
        """The 95% interval of the truth."""
        half = self.standard_error * self._mixed(stdtrit, (1 + LEVEL) / 2)
        return self.estimate - half, self.estimate + half

    def p_value(self, truth: float = 0.0) -> Floats:
        """The two-sided p-value of `truth`; at most 5% exactly where the interval leaves it out."""
        distance, error = np.abs(self.estimate - truth), self.standard_error
        ratio = distance / np.where(error > 0, error, 1.0)

        def tail(degrees: Floats) -> Floats:
            return np.asarray(2 * stdtr(degrees, -ratio))

        found = self._solved(tail, lambda p: ratio - self._mixed(lambda degrees, its: -stdtrit(degrees, its / 2), p))
        return np.where(error > 0, found, np.where(distance > 0, 0.0, 1.0))

    def power(self, effect: float) -> Floats:
        """The probability that a true difference of `effect` is seen: that its interval leaves 0 out."""
        error = self.standard_error
        ratio = abs(effect) / np.where(error > 0, error, 1.0)

        def alone(degrees: Floats) -> Floats:
            critical = stdtrit(degrees, (1 + LEVEL) / 2)
            # Of a distance far beyond the critical value scipy gives no number.
            return np.asarray(np.nan_to_num(1 - nctdtr(degrees, ratio, critical), nan=1.0))

        found = self._solved(alone, lambda power: self._mixed(_noncentral, power) - ratio)
        return np.where(error > 0, found, float(effect != 0))

    def smallest_detectable(self, power: float = POWER) -> Floats:
        """The smallest true difference that is seen with probability `power`."""
        return self.standard_error * self._mixed(_noncentral, power)

    def seeds_needed(self, effect: float, power: float = POWER) -> int | None:
        """With how many seeds a difference of `effect` would be seen; None where only more examples would do.

        For a single estimate. Seeds shrink their own part of the variance, and the examples' part stays.
        """
        for seeds in range(2, MOST_SEEDS + 1):
            share = self.seed_part * self.seeds / seeds
            if replace(self, seed_part=share, seeds=seeds).smallest_detectable(power) <= abs(effect):
                return seeds
        return None

    def _mixed(self, of: Callable[..., Any], *arguments: Any) -> Floats:
        """A function of the degrees of freedom, its values for both parts weighed by them."""
        whole = self.seed_part + self.other_part
        weight = np.where(whole > 0, self.seed_part / np.where(whole > 0, whole, 1.0), 1.0)
        seeds, others = of(self.seed_degrees, *arguments), of(self.other_degrees, *arguments)
        # Where a part has no weight its own value may be infinite.
        return np.where(weight > 0, weight * seeds, 0.0) + np.where(weight < 1, (1 - weight) * others, 0.0)

    def _solved(self, alone: Callable[[Floats], Floats], excess: Callable[[Floats], Floats]) -> Floats:
        """The probability at which a mixed quantile is reached; it lies between those of the parts alone.

        `alone` gives the probability for one part's degrees; `excess` rises through 0 at the answer. By halving the
        span of the logarithm, since a p-value can be 1e-30.
        """
        ends = np.broadcast_arrays(alone(self.seed_degrees), alone(self.other_degrees), self.estimate)[:2]
        low, high = (np.log(np.maximum(end, TINY)) for end in (np.minimum(*ends), np.maximum(*ends)))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            above = excess(np.exp(middle)) > 0
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.exp((low + high) / 2)


def _noncentral(degrees: Floats, power: Any) -> Floats:
    """The noncentrality at which a t of these degrees is beyond its critical value with probability `power`."""
    return np.asarray(nctdtrinc(degrees, 1 - power, stdtrit(degrees, (1 + LEVEL) / 2)))


def pivot(sample: Sample) -> Pivot | None:
    """The pivot of a sample's mean over seeds; None for a single seed, which tells nothing of other seeds."""
    seeds = sample.values.shape[-1]
    if seeds < 2:
        return None
    estimate = sample.values.mean(axis=-1)
    seed_part = sample.values.var(axis=-1, ddof=1) / seeds
    between, within, spread = np.zeros_like(estimate), np.zeros_like(estimate), np.zeros_like(estimate)
    for table in sample.others:
        examples, within_degrees = table.shape[-1], (seeds - 1) * (table.shape[-1] - 1)
        means = table.mean(axis=-2)
        rest = table - table.mean(axis=-1, keepdims=True) - (means - means.mean(axis=-1, keepdims=True))[..., None, :]
        its_between = means.var(axis=-1, ddof=1) / examples
        its_within = np.einsum("...se,...se->...", rest, rest) / (within_degrees * examples * seeds)
        between, within = between + its_between, within + its_within
        spread = spread + its_between**2 / (examples - 1) + its_within**2 / within_degrees
    other_part = np.maximum(between - within, 0.0)
    degrees = np.divide(other_part**2, spread, out=np.full_like(estimate, np.inf), where=spread > 0)
    # A part that is hardly there has hardly any degrees, and no weight either; of few domains there are no more.
    fewest = min([seeds, *(table.shape[-1] for table in sample.others)]) - 1
    return Pivot(estimate, seed_part, other_part, np.maximum(degrees, fewest), seeds)


def joined(pivots: Sequence[Pivot]) -> Pivot:
    """Several pivots of as many seeds as one, along their first axis; what is asked of all is found at once."""

    def all_of(name: str) -> Floats:
        return np.concatenate([getattr(its, name) for its in pivots])

    parts = (all_of("estimate"), all_of("seed_part"), all_of("other_part"), all_of("other_degrees"))
    return Pivot(*parts, seeds=pivots[0].seeds)


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """p-values corrected for being several, step by step from the smallest (Holm, 1979)."""
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    steps = np.minimum(raw[order] * np.arange(len(raw), 0, -1), 1.0)
    corrected = np.empty_like(raw)
    corrected[order] = np.maximum.accumulate(steps)
    return corrected
