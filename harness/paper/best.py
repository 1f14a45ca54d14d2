"""Where the best of an option's values lies."""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness.table.influence import Floats

End = Literal["first", "last"]


def places_of_best(scores: Floats) -> Floats:
    """The place of the best of V values for each seed: [V, S], the higher the better, to [S], in steps from the first.

    Between two values where the neighbours of the best say so: at the top of the parabola through the three. So it
    moves with the scores, where the number of the best alone would often be one for all seeds. At an end it is the end.
    """
    best = scores.argmax(axis=0)
    middle, seeds = np.clip(best, 1, len(scores) - 2), np.arange(scores.shape[1])
    left, top, right = (scores[middle + step, seeds] for step in (-1, 0, 1))
    bend = left - 2 * top + right
    shift = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    return np.where(best == middle, best + shift, best)


def end_of_best(scores: Floats) -> End | None:
    """The end of the values at which the best lies by their means over seeds, [V, S]: it may lie beyond; else None."""
    best = int(scores.mean(axis=1).argmax())
    return "first" if best == 0 else "last" if best == len(scores) - 1 else None


def hides_no_more(further: float, small: End | None, large: End | None, smallest: float) -> bool:
    """Whether values beyond the ends could only strengthen a difference, the small one's best less the large one's.

    A best at an end may lie beyond it. Where the small one's is the last or the large one's the first, the difference
    is at least `further`, so one of `smallest` or more stands; the other way round it is at most that, so one of
    nothing or less does.
    """
    at_least, at_most = small == "last" or large == "first", small == "first" or large == "last"
    return (not at_least or further >= smallest) and (not at_most or further <= 0)
