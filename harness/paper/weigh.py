"""What a difference says of a claim: two one-sided tests of one pivot, corrected in a family, and a verdict.

D > 0 speaks for the claim. It is supported where D <= 0 is rejected one-sided at 2.5% and the estimate is at least the
smallest effect of interest, and contradicted where D >= smallest is rejected. A claim that is not worse moves both
thresholds to the margin; one that is equal is two one-sided tests (Schuirmann, 1987). Where a claim compares several
pairs, it is supported by the largest p-value (Berger, 1982) and contradicted by the smallest, times their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.contracts.claim import Kind
from harness.table.influence import Floats
from harness.table.pivot import Pivot, holm

Verdict = Literal["supported", "contradicted", "inconclusive", "not run"]
ONE_SIDED = 0.025


@dataclass(frozen=True)
class Weighed:
    """A difference with both one-sided p-values; fields are arrays of one shape."""

    estimate: Floats
    low: Floats
    high: Floats
    p_for: Floats
    p_against: Floats


def weigh(found: Pivot, kind: Kind, smallest: float) -> Weighed:
    """Both tests of a difference, by the kind of its claim."""
    low, high = found.interval()
    if kind == "equal":
        inside = np.maximum(_above(found, -smallest), _below(found, smallest))
        outside = np.minimum(2 * np.minimum(_above(found, smallest), _below(found, -smallest)), 1.0)
        return Weighed(found.estimate, low, high, inside, outside)
    nothing, enough = (-smallest, -smallest) if kind == "not_worse" else (0.0, smallest)
    return Weighed(found.estimate, low, high, _above(found, nothing), _below(found, enough))


def _above(found: Pivot, truth: float) -> Floats:
    """The one-sided p-value of D <= `truth`."""
    half = found.p_value(truth) / 2
    return np.where(found.estimate > truth, half, 1 - half)


def _below(found: Pivot, truth: float) -> Floats:
    """The one-sided p-value of D >= `truth`."""
    half = found.p_value(truth) / 2
    return np.where(found.estimate < truth, half, 1 - half)


def several(parts: Sequence[Weighed]) -> tuple[float, float]:
    """The p-values of a claim that compares several pairs: for it, and against it."""
    against = min(float(part.p_against) for part in parts)
    return max(float(part.p_for) for part in parts), min(1.0, len(parts) * against)


def correct(p_values: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The p-values of a family, for and against, each corrected over its claims (Holm, 1979)."""
    if not p_values:
        return []
    both = [holm([pair[side] for pair in p_values]).tolist() for side in (0, 1)]
    return list(zip(*both, strict=True))


def verdict(kind: Kind, smallest: float, parts: Sequence[Weighed], p_for: float, p_against: float) -> Verdict:
    """What corrected p-values say, with the estimates that a claim of an effect must reach."""
    reached = kind in ("not_worse", "equal") or all(float(part.estimate) >= smallest for part in parts)
    if p_for <= ONE_SIDED and reached:
        return "supported"
    return "contradicted" if p_against <= ONE_SIDED else "inconclusive"


def why_contradicted(kind: Kind, smallest: float, parts: Sequence[Weighed]) -> str:
    """In what way the records contradict, by the part that does so most."""
    worst = min(parts, key=lambda part: float(part.p_against))
    low, high = float(worst.low), float(worst.high)
    if kind == "equal":
        return "they differ by more than the margin"
    if kind == "not_worse":
        return "worse by more than the margin"
    if high < 0:
        return "reversed"
    return "no difference that matters" if low > -smallest else "smaller than matters"
