"""Effects: what the paper itself reports for a claim, recomputed from its numbers, and how any is shown."""

from __future__ import annotations

import math

from harness.contracts.claim import Claim, Effect
from harness.contracts.paper import PaperSpec
from harness.table.markdown import LARGEST, number

LOW_IS_BETTER = ("perplexity", "seconds", "minutes", "hours")


def reported_effects(paper: PaperSpec, claim: Claim) -> list[float]:
    """The paper's effects on the claim's scale, more than 0 for it; an interaction has one, of its two.

    Empty where nothing that may be printed is reported, and for a trend, whose numbers are places on an axis.
    """
    if claim.where.status == "recalled" or claim.kind == "trend":
        return []
    found = [_effect(paper, claim, effect) for effect in claim.reported]
    return [found[0] - found[1]] if claim.kind == "interaction" and len(found) == 2 else found


def _effect(paper: PaperSpec, claim: Claim, effect: Effect) -> float:
    numbers = paper.numbers(effect.table)
    if effect.row is not None:
        return numbers[effect.row, effect.column].value
    more, less = (numbers[str(row), effect.column] for row in (effect.more, effect.less))
    sign = -1.0 if claim.kind == "cost" or more.metric in LOW_IS_BETTER else 1.0
    if claim.scale == "log_ratio":
        return sign * (math.log(more.value) - math.log(less.value))
    return sign * (more.value - less.value)


def contradiction(paper: PaperSpec, claim: Claim) -> str | None:
    """In what way the paper's own cells contradict a claim as it is written; None where they do not."""
    if claim.kind in ("trend", "number"):
        return None
    for effect in reported_effects(paper, claim):
        if claim.kind == "equal" and abs(effect) > claim.smallest:
            return f"the paper's own cells differ by {shown_effect(claim, effect)}, more than the margin `smallest`"
        if claim.kind == "not_worse" and effect < -claim.smallest:
            return f"the paper's own cells say {shown_effect(claim, effect)}, worse than the margin `smallest`"
        if claim.kind not in ("equal", "not_worse") and effect < claim.smallest:
            mend = "exchange `more` and `less`" if effect < 0 else f"`smallest` is {claim.smallest:g}, so lower that"
            return f"the paper's own cells say {shown_effect(claim, effect)}, which would contradict it; {mend}"
    return None


def shown_effect(claim: Claim, value: float | None, low: float | None = None, high: float | None = None) -> str:
    """An effect for readers: a difference with two significant places, a ratio in percent; a dash where unknown."""
    if value is None:
        return "–"
    ends = "" if low is None or high is None else f" [{_one(claim, low)}, {_one(claim, high)}]"
    return f"{_one(claim, value)}{'%' if claim.scale == 'log_ratio' else ''}{ends}"


def _one(claim: Claim, value: float) -> str:
    """One end: of a ratio, by how many percent the worse one is the larger."""
    if claim.scale == "log_ratio":
        return number(100 * math.expm1(min(value, LARGEST)), 1)
    return number(value, 2)
