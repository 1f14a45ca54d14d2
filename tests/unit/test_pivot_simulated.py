"""What is nominal holds: coverage and false positives, simulated over seeds, domains, icc and example noise."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from harness.table.pivot import Sample, holm, pivot
from harness.table.ranks import Duels

RUNS, EXAMPLES = 1500, 60
SEEDS, DOMAINS, ICC = (3, 5, 10), (1, 3, 6), (0.0, 0.9)  # icc: the share of a seed's variance that domains share
NOISE = (0.0, 0.3, 0.8, 1.0)  # the examples' share of the variance of a mean
INTERACTION = (0.0, 0.5, 1.0)  # the share of the examples' noise that each seed has of its own
SLACK = 4 * np.sqrt(0.05 * 0.95 / RUNS)  # four standard errors of a simulated share


def simulated(seeds: int, domains: int, icc: float, noise: float, own: float, shape: tuple[int, ...]) -> Sample:
    """Differences whose truth is nothing, [*shape, seeds], with their examples [*shape, seeds, n] of each domain."""
    draw = np.random.default_rng([seeds, domains, round(100 * icc), round(100 * noise), round(100 * own)])
    of_mean = (icc + (1 - icc) / domains) / seeds  # the variance of a mean that the seeds cause
    spread = 1.0 if noise == 1 else of_mean * noise / (1 - noise)
    each = spread * domains * EXAMPLES  # of an example
    good = np.sqrt(icc) * draw.normal(size=(*shape, seeds, 1))
    values, tables = np.zeros((*shape, seeds)), []
    for _ in range(domains):
        its = good + np.sqrt(1 - icc) * draw.normal(size=(*shape, seeds, 1))
        table = np.sqrt(each * (1 - own)) * draw.normal(size=(*shape, 1, EXAMPLES))
        table = table + np.sqrt(each * own * seeds) * draw.normal(size=(*shape, seeds, EXAMPLES))
        table = table + (0 if noise == 1 else its)
        values += table.mean(axis=-1) / domains
        tables.append(table / domains)
    return Sample(values, tuple(tables))


@pytest.mark.parametrize("seeds", SEEDS)
def test_coverage_and_false_positives(seeds: int) -> None:
    """95% intervals cover 93 to 98%, and tests at 5% reject at most 6%, wherever the variance comes from."""
    covered = {}
    for domains, icc, noise, own in product(DOMAINS, ICC, NOISE, INTERACTION):
        if (noise == 0 and own) or (domains == 1 and icc):
            continue  # the same design as another
        its = pivot(simulated(seeds, domains, icc, noise, own, (RUNS,)))
        assert its is not None
        low, high = its.interval()
        covered[domains, icc, noise, own] = float(((low <= 0) & (high >= 0)).mean())
        assert (its.p_value() <= 0.05).mean() == pytest.approx(1 - covered[domains, icc, noise, own])
    assert min(covered.values()) >= 0.94 - SLACK / 2, min(covered, key=covered.__getitem__)
    assert max(covered.values()) <= 0.98 + SLACK / 4, max(covered, key=covered.__getitem__)
    assert np.mean(list(covered.values())) >= 0.94


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize(("noise", "own"), [(0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.8, 0.5)])
def test_a_family_rejects_at_most_as_it_says(seeds: int, noise: float, own: float) -> None:
    """Of ten comparisons in which nothing is to be found, Holm finds something in at most 6% of families."""
    families, rows = 500, 10
    its = pivot(simulated(seeds, 1, 0.5, noise, own, (families, rows)))
    assert its is not None
    wrong = np.mean([min(holm(row)) <= 0.05 for row in its.p_value()])
    assert wrong <= 0.06 + 2 * np.sqrt(0.05 * 0.95 / families)


def test_a_board_of_equals_is_rarely_parted() -> None:
    """Of twelve methods that are alike, any two are told apart in at most about one of twenty boards."""
    boards, parted = 150, 0
    draw = np.random.default_rng(12)
    for _ in range(boards):
        hard = draw.normal(size=(1, 60))
        tables = [hard + draw.normal(size=(5, 1)) * 0.2 + draw.normal(size=(5, 60)) for _ in range(12)]
        duels = Duels({str(place): Sample(its.mean(axis=1), (its,)) for place, its in enumerate(tables)})
        parted += bool(duels.resolution([str(place) for place in range(12)]))
    assert parted / boards <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / boards)


def test_power_is_what_it_says() -> None:
    """A true difference of the smallest detectable size is seen in about 80% of runs."""
    for noise in (0.0, 0.5, 1.0):
        sample = simulated(5, 3, 0.3, noise, 0.3, (RUNS,))
        its = pivot(sample)
        assert its is not None
        typical = float(
            np.sqrt((its.standard_error**2).mean()) * np.median(its.smallest_detectable() / its.standard_error)
        )
        moved = pivot(Sample(sample.values + typical, sample.others))
        assert moved is not None
        assert (moved.p_value() <= 0.05).mean() == pytest.approx(0.8, abs=0.06)
