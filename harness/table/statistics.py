"""Intervals, tests and ranks.

An interval answers: how far could this number move with other seeds and other test examples? Both are
resampled, crossed, because every seed is scored on the same examples (Owen, 2007, the pigeonhole
bootstrap; Davison and Hinkley, 1997, section 3.8). Domains are fixed: a mean over domains speaks about
these domains only. With S seeds the part of the variance that the seeds cause is estimated with ddof 0,
so with few seeds that part of an interval is too narrow by a factor of sqrt((S - 1) / S).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.base.seeds import derive

Floats = NDArray[np.float64]
Aggregator = Callable[[Floats], Floats]

REPLICATES = 1000
LEVEL = 0.95
SIGNIFICANCE = 0.05
EXACT_PAIRS = 12  # up to 2**12 sign flips are enumerated
RANDOM_FLIPS = 10_000
SLACK = 1e-9  # sums of the same numbers in another order are equal
LARGEST_EXPONENT = 700.0  # as in the metric: exp of more is infinite


def _f1(sums: Floats) -> Floats:
    true, wrong, missed = sums[..., 0], sums[..., 1], sums[..., 2]
    whole = 2 * true + wrong + missed
    return np.asarray(200 * true / np.where(whole > 0, whole, 1.0), dtype=np.float64)


def _perplexity(sums: Floats) -> Floats:
    return np.asarray(np.exp(np.minimum(sums[..., 0] / sums[..., 1], LARGEST_EXPONENT)), dtype=np.float64)


def _mean(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1], dtype=np.float64)


def aggregator(metric: str) -> Aggregator | None:
    """What turns summed statistics [..., s] into scores [...]; None where the metric is no function of sums."""
    if metric.startswith("rouge"):
        return _mean
    return {"f1": _f1, "perplexity": _perplexity}.get(metric)


@lru_cache(maxsize=32)
def example_weights(task: str, domain: str, examples: int) -> NDArray[np.uint16]:
    """How often each replicate draws each test example, [R, n]: the same for all methods, budgets and seeds."""
    draw = np.random.default_rng(derive("bootstrap", "examples", task, domain, examples))
    weights = np.empty((REPLICATES, examples), dtype=np.uint16)
    for row in weights:
        row[:] = np.bincount(draw.integers(examples, size=examples), minlength=examples)
    return weights


@lru_cache(maxsize=32)
def seed_weights(seeds: int) -> Floats:
    """How much each replicate weighs each seed, [R, S], rows summing to one: the same for all domains."""
    draw = np.random.default_rng(derive("bootstrap", "seeds", seeds))
    counts = draw.multinomial(seeds, np.full(seeds, 1 / seeds), size=REPLICATES)
    return np.asarray(counts / seeds, dtype=np.float64)


def replicates(metric: str, statistics: Floats, weights: NDArray[np.uint16]) -> Floats | None:
    """Each replicate's score of each seed, [R, S], from statistics [S, n, s] and example weights [R, n]."""
    aggregate = aggregator(metric)
    if aggregate is None:
        return None
    seeds, examples, columns = statistics.shape
    table = statistics.transpose(1, 0, 2).reshape(examples, seeds * columns)
    return aggregate((weights.astype(np.float64) @ table).reshape(-1, seeds, columns))


def interval(parts: Sequence[Floats]) -> tuple[float, float] | None:
    """The 95% percentile interval of the mean over `parts`, each [R, S]; None for a single seed.

    The parts (domains, budgets) are averaged within a replicate, so they share its resample of seeds.
    """
    seeds = parts[0].shape[1]
    if seeds < 2:
        return None
    scores = (np.stack(parts).mean(axis=0) * seed_weights(seeds)).sum(axis=1)
    low, high = np.quantile(scores, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@lru_cache(maxsize=32)
def _signs(pairs: int) -> Floats:
    """Every sign flip of the pairs, or as many random ones as are drawn: [flips, pairs]."""
    if pairs <= EXACT_PAIRS:
        bits = np.arange(2**pairs)[:, None] >> np.arange(pairs) & 1
    else:
        bits = np.random.default_rng(derive("permutation", pairs)).integers(2, size=(RANDOM_FLIPS, pairs))
    return np.asarray(1.0 - 2.0 * bits, dtype=np.float64)


def paired_permutations(scores: Floats, others: Sequence[Floats]) -> list[float]:
    """For each of `others`, the two-sided p-value that its paired scores [pairs] differ in mean from `scores`.

    By flipping signs (Fisher, 1935), corrected for being several: Holm's step-down, in which the joint flips of
    all differences give the distribution of the largest one in the place of Bonferroni's bound (Westfall and
    Young, 1993, algorithm 2.8). With nine pairs the smallest p-value is 2/512; times twenty rows it could never
    fall below 5%. Differences are compared in units of their root mean square, which no flip changes; a single
    one has the p-value of the plain test.

    Exact for up to twelve pairs; above, the observed flip counts among the random ones, so p is never 0
    (Phipson and Smyth, 2010, eq. 2). Pairs of one domain share test examples: p speaks about these domains.
    """
    if not others or not len(scores):
        return [1.0] * len(others)
    differences = np.asarray(scores, dtype=np.float64) - np.asarray(others, dtype=np.float64)  # [others, pairs]
    size = np.sqrt((differences**2).sum(axis=1, keepdims=True))
    units = differences / np.where(size > 0, size, 1.0)
    observed = np.abs(units.sum(axis=1))
    order = np.argsort(-observed, kind="stable")
    flipped = np.abs(_signs(len(scores)) @ units[order].T)  # [flips, others], the clearest difference first
    largest = np.maximum.accumulate(flipped[:, ::-1], axis=1)[:, ::-1]  # of this one and those less clear
    extreme = largest >= observed[order] - SLACK
    exact = len(scores) <= EXACT_PAIRS
    found = extreme.mean(axis=0) if exact else (1 + extreme.sum(axis=0)) / (1 + RANDOM_FLIPS)
    corrected = np.empty(len(others))
    corrected[order] = np.maximum.accumulate(found)
    return [float(value) for value in corrected]


@dataclass(frozen=True)
class Rank:
    """A method's place: equal means share a rank; `p_value` is corrected, against the group's leader."""

    method: str
    rank: int
    group: int
    leader: str
    p_value: float | None
    pairs: int


def rank_methods(scores: Mapping[str, Floats], direction: str) -> list[Rank]:
    """Methods from best to worst by the mean of their paired scores [pairs], with tie groups.

    The best method leads group 1, and all that the corrected paired test does not tell from it at 5%
    are in its group; the best of the others leads the next group, tested against the others, and so on. A noisy
    method can thus share a group with a better leader than a steady method ranked just above it.
    """
    sign = -1.0 if direction == "max" else 1.0
    means = {method: sign * float(np.mean(values)) for method, values in scores.items()}
    ordered = sorted(means, key=lambda method: means[method])
    found: dict[str, tuple[int, str, float | None]] = {}
    left, group = ordered, 0
    while left:
        group += 1
        leader, others = left[0], left[1:]
        p_values = paired_permutations(scores[leader], [scores[other] for other in others])
        found[leader] = group, leader, None
        found |= {m: (group, leader, p) for m, p in zip(others, p_values, strict=True) if p > SIGNIFICANCE}
        left = [method for method in others if method not in found]
    return [
        Rank(method, 1 + sum(mean < means[method] for mean in means.values()), *found[method], len(scores[method]))
        for method in ordered
    ]
