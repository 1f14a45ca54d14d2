"""How much each test example moves a score: what the examples' part of a variance is made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Aggregator = Callable[[Floats], Floats]
LARGEST = 700.0  # as in the metric: the logarithm of the largest perplexity


def _f1(sums: Floats) -> Floats:
    true, wrong, missed = sums[..., 0], sums[..., 1], sums[..., 2]
    whole = 2 * true + wrong + missed
    return np.asarray(200 * true / np.where(whole > 0, whole, 1.0), dtype=np.float64)


def _mean(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], 1.0), dtype=np.float64)


def _log_perplexity(sums: Floats) -> Floats:
    return np.minimum(_mean(sums), LARGEST)


def aggregator(metric: str) -> Aggregator | None:
    """What turns summed statistics [..., s] into scores [...] on the metric's scale (`harness.score.scale`).

    None where the metric is no function of sums over examples, as corpus BLEU as it is kept here.
    """
    if metric.startswith("rouge"):
        return _mean
    return {"f1": _f1, "perplexity": _log_perplexity}.get(metric)


def influences(metric: str, statistics: Floats) -> Floats | None:
    """By how much each example moves the score of each seed, [S, n], from statistics [S, n, s].

    The jackknife's: (n - 1) times what the score loses when the example is left out, so that the variance of a
    seed's row over n is the variance of its score (Efron and Stein, 1981). None for a metric that is no function of
    sums, and for a single example, of which no spread can be told.
    """
    aggregate = aggregator(metric)
    examples = statistics.shape[1]
    if aggregate is None or examples < 2:
        return None
    sums = statistics.sum(axis=1, keepdims=True)
    moved = aggregate(sums) - aggregate(sums - statistics)
    return np.asarray((examples - 1) * moved, dtype=np.float64)
