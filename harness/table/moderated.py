"""What the pairs of a board know of each other's noise (Smyth, 2004).

Of three seeds a pair's own variance has two degrees of freedom, and of sixty pairs that are tested together none can be
told apart by that, however far it lies apart. But the variances of a board's pairs are alike, to a degree that they
show: where each has d degrees and 1/sigma^2 is drawn from a chi-squared distribution of d0 degrees over d0 s0^2,

    z = log s^2:  E z = log s0^2 + digamma(d/2) - digamma(d0/2) + log(d0/d),  Var z = trigamma(d/2) + trigamma(d0/2),

which gives d0 and s0^2 (his section 6.2), and a pair's variance is then (d0 s0^2 + d s^2) / (d0 + d), of d0 + d degrees
(his section 3). Where variances differ much, d0 is small and each pair stands by its own.

His variances are independent. The pairs of M methods share them: together they have (M - 1) d degrees, and d0 is found
too large. So it counts a third of what is found, and of that number: with it a board of equals is parted at most as
often as it says, also where one method is five times as noisy as eleven others, which no three seeds can show
(`tests/unit/test_moderated_simulated.py`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import digamma, polygamma

from harness.table.influence import Floats
from harness.table.pivot import Pivot

TRUST = 1 / 3  # of the prior's degrees
FEWEST = 3  # contenders, of whose pairs a prior can be found
SMALLEST = 1e-5  # of the median variance: a logarithm needs something
STEPS = 50


def moderated(pairs: Pivot, learned: np.ndarray, methods: int) -> Pivot:
    """The pivots of a board's pairs, the seeds' part of each moderated by those of `learned`, the contenders' pairs.

    `methods` is the number of contenders. A pair of controls that no seed moves stays so; fewer than three contenders
    moderate nothing.
    """
    degrees, variances = pairs.seeds - 1, pairs.seed_part[learned]
    if methods < FEWEST or not (variances > 0).any():
        return pairs
    found, typical = prior_of(variances, degrees)
    prior = TRUST * min(found, (methods - 2.0) * degrees)
    part = (prior * typical + degrees * pairs.seed_part) / (prior + degrees)
    moved = learned | (pairs.seed_part > 0)
    return replace(pairs, seed_part=np.where(moved, part, pairs.seed_part), prior_degrees=np.where(moved, prior, 0.0))


def prior_of(variances: Floats, degrees: float) -> tuple[float, float]:
    """The degrees d0, infinite where variances differ by chance alone, and the variance s0^2 of their prior."""
    floor = SMALLEST * float(np.median(variances[variances > 0]))
    logs = np.log(np.maximum(variances, floor)) - digamma(degrees / 2) + np.log(degrees / 2)
    mean, excess = float(logs.mean()), float(logs.var(ddof=1) - polygamma(1, degrees / 2))
    if excess <= 0:
        return np.inf, float(np.exp(mean))
    half = _trigamma_inverse(excess)
    return 2 * half, float(np.exp(mean + digamma(half) - np.log(half)))


def _trigamma_inverse(value: float) -> float:
    """Where trigamma is `value`, by Newton's steps on its reciprocal, which is convex (Smyth, 2004, appendix)."""
    at = 0.5 + 1 / value
    for _ in range(STEPS):
        its = float(polygamma(1, at))
        step = its * (1 - its / value) / float(polygamma(2, at))
        at += step
        if abs(step) < 1e-9 * at:
            break
    return at
