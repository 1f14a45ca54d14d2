"""Which rates are tried: a few over the whole range, then others nearer and nearer to the best. No torch here.

Every method, and every preparation, has as many trials, TRIALS, with the same seeds. The rates of a range lie evenly on
a logarithmic scale; each further round tries the best one's neighbours at half the distance of the round before, within
the range or beyond its ends.

Where there are several rates, as a meta-learning's outer and inner one, the first is walked over its range with the
others where they stand; the rounds then go through the rates in turn, from the second on, each with neighbours of the
best point along that rate alone. A grid of them would cost the square of the trials, and the first has by far the
widest range to be wrong in: it follows the backbone, the others the adaptation. The first comes again only after the
second has moved, since what suits it depends on that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import exp, log

from harness.contracts.budget import WHOLE
from harness.contracts.plan import Line

COARSE = 5  # rates over the whole range
ROUNDS = 2  # of the best one's two neighbours
TRIALS = COARSE + 2 * ROUNDS
SEEDS = (0, 1)
EXAMPLES = 200  # of a domain that are scored, at most
SMALLEST = 4  # examples that a trial trains on, at least
SHARE = 0.5  # of a preparation's steps, in a trial of its rates: with a quarter, rates that change nothing are best
DOMAINS = 4  # on which a preparation's trials are scored, at most: each may need a checkpoint of its own
AFTER = 100  # examples that a trial trains on after a preparation, whatever the budgets that share it

Point = tuple[float, ...]  # a value of each rate
Tried = Mapping[Point, float | None]  # a point's score, higher being better; None where it failed


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


def next_points(lines: Sequence[Line], tried: Tried) -> list[Point]:
    """What is tried next, given all that was tried; nothing when the search has ended or nothing succeeded."""
    if len(tried) < COARSE:
        return [point for point in _coarse(lines) if point not in tried]
    middle = best(tried)
    if middle is None:
        return []
    done, begun = divmod(len(tried) - COARSE, 2)
    if begun or done >= ROUNDS:
        return []
    turns = [0, *((number + 1) % len(lines) for number in range(ROUNDS))]  # the line of each walk, the coarse one first
    which = turns[done + 1]
    step = _step(lines[which]) / 2.0 ** turns[: done + 1].count(which)
    return [_moved(middle, which, way * step) for way in (-1, 1)]


def best(tried: Tried) -> Point | None:
    """The point with the highest score; of several that share it the one in their middle; None where all failed."""
    scores = {point: score for point, score in tried.items() if score is not None}
    if not scores:
        return None
    top = max(scores.values())
    ties = sorted(point for point, score in scores.items() if score == top)
    return ties[(len(ties) - 1) // 2]


def at_edge(tried: Iterable[Point], point: Point) -> bool:
    """Whether any of a point's rates is the smallest or the largest that was tried of it, where several were."""
    for value, *others in zip(point, *tried, strict=True):
        if len(set(others)) > 1 and value in (min(others), max(others)):
            return True
    return False


def _coarse(lines: Sequence[Line]) -> list[Point]:
    """The first line at even distances over its range, the others where they stand."""
    first, *others = lines
    stay = tuple(line.start for line in others)
    return [(_rounded(exp(log(first.low) + place * _step(first))), *stay) for place in range(COARSE)]


def _step(line: Line) -> float:
    """The distance of two rates over the whole range, as a difference of logarithms."""
    return (log(line.high) - log(line.low)) / (COARSE - 1)


def _moved(point: Point, which: int, distance: float) -> Point:
    """A point with one of its rates elsewhere."""
    return (*point[:which], _rounded(exp(log(point[which]) + distance)), *point[which + 1 :])


def _rounded(rate: float) -> float:
    """Three digits: a rate that a person can write."""
    return float(f"{rate:.3g}")
