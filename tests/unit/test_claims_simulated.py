"""Answers hold their levels, simulated: of nothing little is supported, and of what matters little is contradicted."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from harness.contracts.claim import Kind
from harness.paper.weigh import ONE_SIDED, Weighed, correct, several, verdict, weigh
from harness.table.pivot import Sample, pivot
from tests.unit.test_pivot_simulated import simulated

FAMILIES, CLAIMS, TINY = 400, 3, 1e-9
SLACK = 3 * np.sqrt(ONE_SIDED * (1 - ONE_SIDED) / FAMILIES)  # three standard errors of a simulated share
KINDS_OF_NOISE = [(1, 0.0, 0.0), (1, 0.0, 0.5), (6, 0.9, 0.0), (6, 0.9, 0.5)]  # domains, icc, the examples' share
DESIGNS = [(seeds, *other) for seeds, other in product((3, 5, 10), KINDS_OF_NOISE)]


def weighed(design: tuple[int, int, float, float], kind: Kind, smallest: float, truth: float) -> list[list[Weighed]]:
    """Families of claims whose true difference is `truth`."""
    seeds, domains, icc, noise = design
    sample = simulated(seeds, domains, icc, noise, 0.5 if noise else 0.0, (FAMILIES, CLAIMS))
    its = pivot(Sample(sample.values + truth, sample.others))
    assert its is not None
    whole = weigh(its, kind, smallest)
    fields = (whole.estimate, whole.low, whole.high, whole.p_for, whole.p_against)
    return [[Weighed(*(field[row, column] for field in fields)) for column in range(CLAIMS)] for row in range(FAMILIES)]


def share(families: list[list[Weighed]], kind: Kind, smallest: float, wanted: str) -> float:
    """In how many families a claim has the answer `wanted`."""
    found = 0
    for family in families:
        corrected = correct([several([part]) for part in family])
        answers = [verdict(kind, smallest, [part], *p) for part, p in zip(family, corrected, strict=True)]
        found += wanted in answers
    return found / len(families)


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_of_nothing_little_is_supported(design: tuple[int, int, float, float]) -> None:
    families = weighed(design, "better", TINY, 0.0)
    assert share(families, "better", TINY, "supported") <= ONE_SIDED + SLACK


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_of_what_matters_little_is_contradicted(design: tuple[int, int, float, float]) -> None:
    families = weighed(design, "better", 0.7, 0.7)
    assert share(families, "better", 0.7, "contradicted") <= ONE_SIDED + SLACK


@pytest.mark.parametrize(("kind", "truth"), [("not_worse", -0.7), ("equal", 0.7)])
def test_margins_hold_too(kind: Kind, truth: float) -> None:
    """At the margin itself neither answer comes more often than its level."""
    families = weighed((5, 3, 0.5, 0.5), kind, 0.7, truth)
    for answer in ("supported", "contradicted"):
        assert share(families, kind, 0.7, answer) <= ONE_SIDED + SLACK


def test_a_claim_of_several_pairs_holds_its_level() -> None:
    """The one pair without an effect decides; and of three pairs that matter hardly one is rejected."""
    for truths, smallest, wanted in (((9.0, 9.0, 0.0), TINY, "supported"), ((0.7, 0.7, 0.7), 0.7, "contradicted")):
        columns = [weighed((5, 3, 0.3, 0.5), "order", smallest, truth) for truth in truths]
        found = 0
        for row in range(FAMILIES):
            parts = [column[row][place] for place, column in enumerate(columns)]
            found += verdict("order", smallest, parts, *several(parts)) == wanted
        assert found / FAMILIES <= ONE_SIDED + SLACK


def test_a_large_effect_is_supported_and_its_reverse_contradicted() -> None:
    for truth, answer in ((5.0, "supported"), (-5.0, "contradicted")):
        families = weighed((5, 3, 0.3, 0.0), "better", 0.7, truth)
        assert share(families, "better", 0.7, answer) > 0.9
