"""Where the best of an option's values lies."""

from __future__ import annotations

import numpy as np

from harness.table.influence import Floats


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


def lies_at_end(scores: Floats) -> bool:
    """Whether the best of the values, by their means over seeds, is the first or the last: it may lie beyond them."""
    return int(scores.mean(axis=1).argmax()) in (0, len(scores) - 1)
