"""The scale on which a metric's scores are averaged and compared."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scale = Literal["difference", "log_ratio"]
LOGARITHMIC = frozenset({"perplexity"})  # the exponential of a mean: what counts is by how much of itself it changes
CORRELATION = (-100.0, 100.0)
BOUNDS = {  # every other metric is a percentage
    "perplexity": (1.0, np.inf),
    "matthews": CORRELATION,
    "pearson": CORRELATION,
    "spearman": CORRELATION,
    "nist": (0.0, np.inf),
    "cider": (0.0, 10.0),
    "c_score": (-np.inf, np.inf),  # a sum over the persona's sentences
}
PERCENTAGE = (0.0, 100.0)


def scale_of(metric: str) -> Scale:
    """How two scores of a metric compare: by their difference, or by the logarithm of their ratio."""
    return "log_ratio" if metric in LOGARITHMIC else "difference"


def scaled(metric: str, scores: ArrayLike) -> NDArray[np.float64]:
    """Scores on the scale on which means are taken: perplexities as logarithms, all others as they are."""
    values = np.asarray(scores, dtype=np.float64)
    return np.log(values) if metric in LOGARITHMIC else values


def unscaled(metric: str, value: float) -> float:
    """A mean on the metric's scale as a score again: for a perplexity the geometric mean."""
    return float(np.exp(value)) if metric in LOGARITHMIC else float(value)


def within(metric: str, score: float) -> float:
    """The score nearest to `score` that the metric can have; the end of an interval may lie beyond."""
    low, high = BOUNDS.get(metric, PERCENTAGE)
    return float(min(max(score, low), high))
