"""How much each test example moves a score: what the examples' part of a variance is made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Aggregator = Callable[[Floats], Floats]
LARGEST = 700.0  # as in the metric: the logarithm of the largest perplexity


def _f1(sums: Floats) -> Floats:
    """The F1 of three counts; of three for each of several classes the mean over those that occur."""
    counts = sums.reshape(*sums.shape[:-1], -1, 3)
    true, whole = counts[..., 0], 2 * counts[..., 0] + counts[..., 1] + counts[..., 2]
    each = 200 * true / np.where(whole > 0, whole, 1.0)
    return np.asarray(each.sum(axis=-1) / np.maximum((whole > 0).sum(axis=-1), 1), dtype=np.float64)


def _matthews(sums: Floats) -> Floats:
    """The correlation of a confusion matrix [..., C * C] in percent (Gorodkin, 2004, eq. 8); 0 where undefined."""
    classes = round(sums.shape[-1] ** 0.5)
    table = sums.reshape(*sums.shape[:-1], classes, classes)
    whole, right = table.sum(axis=(-2, -1)), np.trace(table, axis1=-2, axis2=-1)
    its, answers = table.sum(axis=-1), table.sum(axis=-2)
    together = right * whole - (its * answers).sum(axis=-1)
    spreads = (whole**2 - (its**2).sum(axis=-1)) * (whole**2 - (answers**2).sum(axis=-1))
    return np.asarray(100 * together / np.sqrt(np.where(spreads > 0, spreads, np.inf)), dtype=np.float64)


def _without_each(pairs: Floats) -> Floats:
    """Of numbers in pairs [n, 2] Pearson's correlation without each of them, [n], in percent; 0 where undefined."""
    x, y = (column - column.mean() for column in pairs.T)  # centred, or the sums below would lose digits
    parts = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    n, x, y, xx, yy, xy = parts.sum(axis=1, keepdims=True) - parts
    spreads = (xx - x * x / n) * (yy - y * y / n)
    return np.asarray(100 * (xy - x * y / n) / np.sqrt(np.where(spreads > 0, spreads, np.inf)), dtype=np.float64)


def _pearson(pairs: Floats) -> Floats:
    """By how much each pair moves Pearson's correlation, [n], for [n, 2]."""
    return np.asarray(100 * _correlation(pairs) - _without_each(pairs), dtype=np.float64)


def _spearman(pairs: Floats) -> Floats:
    """The same of Spearman's, with everything ranked anew without the pair."""
    whole = _correlation(rankdata(pairs, axis=0))
    left = [rankdata(np.delete(pairs, place, axis=0), axis=0) for place in range(len(pairs))]
    return np.array([100 * (whole - _correlation(ranks)) for ranks in left], dtype=np.float64)


def _correlation(pairs: Floats) -> float:
    spread = pairs.std(axis=0).prod()
    return float(np.cov(pairs.T, ddof=0)[0, 1] / spread) if spread > 0 else 0.0


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
    return {"f1": _f1, "perplexity": _log_perplexity, "accuracy": _mean, "matthews": _matthews}.get(metric)


# What moves a metric that is no function of sums: statistics [n, s] to how much each example moves the score, [n].
LEFT_OUT: dict[str, Aggregator] = {"pearson": _pearson, "spearman": _spearman}


def tells_examples(metric: str) -> bool:
    """Whether it can be told of a metric how much each example moves it."""
    return metric in LEFT_OUT or aggregator(metric) is not None


def influences(metric: str, statistics: Floats) -> Floats | None:
    """By how much each example moves the score of each seed, [S, n], from statistics [S, n, s].

    The jackknife's: (n - 1) times what the score loses when the example is left out, so that the variance of a
    seed's row over n is the variance of its score (Efron and Stein, 1981). None for a metric of which that cannot be
    told, and for a single example, of which no spread can.
    """
    aggregate = aggregator(metric)
    examples = statistics.shape[1]
    if examples < 2 or not tells_examples(metric):
        return None
    if metric in LEFT_OUT:
        return (examples - 1) * np.stack([LEFT_OUT[metric](seed) for seed in statistics])
    assert aggregate is not None
    sums = statistics.sum(axis=1, keepdims=True)
    moved = aggregate(sums) - aggregate(sums - statistics)
    return np.asarray((examples - 1) * moved, dtype=np.float64)


def whose_examples(metric: str, statistics: Floats | None) -> Floats | None:
    """What statistics [n, s] hold of the examples themselves, whatever a method answers; None where that is nothing.

    Entities of each example for F1, tokens for perplexity; two runs on the same examples have the same.
    """
    if statistics is None:
        return None
    if metric == "f1":
        counts = statistics.reshape(len(statistics), -1, 3)
        return counts[..., 0] + counts[..., 2]
    return statistics[:, 1] if metric == "perplexity" else None
