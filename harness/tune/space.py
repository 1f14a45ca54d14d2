"""Which rates are tried: a few over the whole range, then others nearer and nearer to the best. No torch here.

Every method has as many trials, TRIALS, with the same seeds. The rates of a range lie evenly on a logarithmic scale;
each further round tries the best one's neighbours at half the distance of the round before, within the range or
beyond its ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

from harness.contracts.budget import WHOLE

COARSE = 5  # rates over the whole range
ROUNDS = 2  # of the best one's two neighbours
TRIALS = COARSE + 2 * ROUNDS
SEEDS = (0, 1)
EXAMPLES = 200  # of a domain that are scored, at most
SMALLEST = 4  # examples that a trial trains on, at least

Tried = Mapping[float, float | None]  # a rate's score, higher being better; None where it failed


def reached(budget: int) -> int:
    """The power of ten that a budget reaches, which stands for its class; trials train on as many examples.

    `all` is a class of its own. So a budget that is added to a run leaves what was searched for the others as it was.
    """
    if budget == WHOLE:
        return budget
    power = 10
    while power * 10 <= budget:
        power *= 10
    return power if power <= budget else SMALLEST


def next_rates(low: float, high: float, tried: Tried) -> list[float]:
    """The rates that are tried next, given all that was tried; none when the search has ended or nothing succeeded."""
    if len(tried) < COARSE:
        return [rate for rate in _coarse(low, high) if rate not in tried]
    middle = best(tried)
    if middle is None:
        return []
    done, begun = divmod(len(tried) - COARSE, 2)
    if begun or done >= ROUNDS:
        return []
    step = (log(high) - log(low)) / (COARSE - 1) / 2 ** (done + 1)
    return [_rounded(exp(log(middle) + way * step)) for way in (-1, 1)]


def best(tried: Tried) -> float | None:
    """The rate with the highest score; of several that share it the one in their middle; None where all failed."""
    scores = {rate: score for rate, score in tried.items() if score is not None}
    if not scores:
        return None
    top = max(scores.values())
    ties = sorted(rate for rate, score in scores.items() if score == top)
    return ties[(len(ties) - 1) // 2]


def at_edge(tried: Sequence[float], rate: float) -> bool:
    """Whether a rate is the smallest or the largest that was tried."""
    return rate in (min(tried), max(tried))


def _coarse(low: float, high: float) -> list[float]:
    step = (log(high) - log(low)) / (COARSE - 1)
    return [_rounded(exp(log(low) + place * step)) for place in range(COARSE)]


def _rounded(rate: float) -> float:
    """Three digits: a rate that a person can write."""
    return float(f"{rate:.3g}")
