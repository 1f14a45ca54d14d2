"""The pivot: what it answers cannot disagree, and what it does at its edges."""

from __future__ import annotations

import numpy as np
import pytest

from harness.table.pivot import Pivot, Sample, pivot


def crossed(parts: tuple[float, float, float], shape: tuple[int, ...] = (4, 30), draws: int = 9) -> Sample:
    """Scores of seeds by examples with standard deviations of seeds, of examples and of both together."""
    draw = np.random.default_rng(draws)
    of_seeds, of_examples, of_both = parts
    table = of_seeds * draw.normal(size=(*shape[:-1], 1)) + of_both * draw.normal(size=shape)
    table = table + of_examples * draw.normal(size=(*shape[:-2], 1, shape[-1]))
    return Sample(table.mean(axis=-1), (table,))


def found(sample: Sample) -> Pivot:
    its = pivot(sample)
    assert its is not None
    return its


def test_interval_and_p_never_disagree() -> None:
    for parts in ((1.0, 0.0, 0.0), (0.1, 3.0, 0.5), (0.5, 2.0, 2.0), (0.0, 0.0, 1.0)):
        its = found(crossed(parts, (4000, 3, 20)))
        low, high = its.interval()
        assert np.array_equal(its.p_value() <= 0.05, (low >= 0) | (high <= 0))
        assert np.array_equal(its.p_value(0.3) <= 0.05, (low >= 0.3) | (high <= 0.3))
        assert 0 < (its.p_value() <= 0.05).mean() < 0.1


def test_the_interval_ends_where_p_is_five_percent() -> None:
    its = found(crossed((0.5, 2.0, 1.0)))
    for end in its.interval():
        assert its.p_value(float(end)) == pytest.approx(0.05)


def test_the_smallest_detectable_difference_has_that_power() -> None:
    its = found(crossed((0.5, 2.0, 1.0)))
    for power in (0.5, 0.8, 0.95):
        assert its.power(float(its.smallest_detectable(power))) == pytest.approx(power)
    assert its.power(0.0) == pytest.approx(0.025)  # its own side; the other's is nothing where there is an effect


def test_seeds_needed_are_the_fewest_that_do() -> None:
    its = found(crossed((2.0, 0.5, 1.0), (5, 200)))
    effect = 2.0
    needed = its.seeds_needed(effect)
    assert needed is not None

    def detectable(seeds: int) -> float:
        part = its.seed_part * its.seeds / seeds
        return float(Pivot(its.estimate, part, its.other_part, its.other_degrees, seeds).smallest_detectable())

    assert detectable(needed) <= effect < detectable(needed - 1)


def test_no_number_of_seeds_makes_up_for_few_examples() -> None:
    its = found(crossed((1.0, 5.0, 0.0), (5, 20)))
    assert its.seeds_needed(0.1) is None
    assert its.seeds_needed(50.0) == 2


def test_a_single_seed_has_neither_interval_nor_p() -> None:
    table = np.ones((1, 30))
    assert pivot(Sample(np.array([3.0]), (table,))) is None


def test_what_never_varies_is_certain() -> None:
    same = found(Sample(np.zeros(4), (np.zeros((4, 10)),)))
    assert same.p_value() == 1.0
    assert same.interval() == (0.0, 0.0)
    other = found(Sample(np.full(4, 2.0), (np.full((4, 10), 2.0),)))
    assert other.p_value() == 0.0
    assert other.interval() == (2.0, 2.0)
    assert (other.power(1.0), other.power(0.0)) == (1.0, 0.0)
    nearly = found(Sample(np.array([2.0, 2.0, np.nextafter(2.0, 3.0)])))
    assert nearly.standard_error > 0
    assert nearly.power(1.0) == 1.0


def test_a_part_below_nothing_is_nothing() -> None:
    """Examples that differ by nothing but noise of the seeds add nothing to the seeds' part."""
    its = found(crossed((1.0, 0.0, 1.0), (500, 4, 30)))
    assert (its.other_part >= 0).all()
    assert 0.3 < (its.other_part == 0).mean() < 0.8
    alone = found(Sample(crossed((1.0, 0.0, 1.0), (500, 4, 30)).values))
    assert np.array_equal(its.seed_part, alone.seed_part)


def test_domains_bring_their_examples_and_share_the_seeds() -> None:
    draw = np.random.default_rng(3)
    seeds, good = 4, draw.normal(size=4)
    tables = [draw.normal(size=(1, 50)) + np.zeros((seeds, 1)) for _ in range(3)]
    sample = Sample(good + np.mean([table.mean() for table in tables]), tuple(table / 3 for table in tables))
    its = found(sample)
    assert its.seed_part == pytest.approx(good.var(ddof=1) / seeds)
    assert its.other_part == pytest.approx(sum(table.var(ddof=1) / 50 for table in [t[0] for t in tables]) / 9)
    opposite = Sample(good - good)  # seeds that are good on one domain and as bad on another
    assert found(opposite).standard_error == 0


def test_sampled_domains_widen_the_interval() -> None:
    draw = np.random.default_rng(4)
    by_domain = draw.normal(size=(5, 1)) * 0.1 + draw.normal(size=(1, 8))  # seeds by domains
    fixed, sampled = Sample(by_domain.mean(axis=1)), Sample(by_domain.mean(axis=1), (by_domain,))
    assert found(sampled).other_part == pytest.approx(by_domain.mean(axis=0).var(ddof=1) / 8, rel=1e-6)
    assert found(sampled).standard_error > 3 * found(fixed).standard_error


def test_differences_are_paired() -> None:
    common = crossed((3.0, 5.0, 0.0))
    better = Sample(common.values + 1.0, (common.others[0] + 1.0,))
    its = found(better - common)
    assert (its.estimate, its.p_value()) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-12))
    assert float(found(better).p_value()) > 0.05
