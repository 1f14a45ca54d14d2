"""The pivot against scipy and statsmodels, on the designs that they can do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from harness.table.pivot import Pivot, Sample, holm, pivot

DRAW = np.random.default_rng(20)


def crossed(seeds: int, examples: int, parts: tuple[float, float, float]) -> np.ndarray:
    """Scores [seeds, examples] with standard deviations of seeds, of examples and of both together."""
    of_seeds, of_examples, of_both = parts
    return (
        of_seeds * DRAW.normal(size=(seeds, 1))
        + of_examples * DRAW.normal(size=examples)
        + of_both * DRAW.normal(size=(seeds, examples))
    )


def found(sample: Sample) -> Pivot:
    its = pivot(sample)
    assert its is not None
    return its


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_with_seeds_alone_it_is_the_paired_t_test(seeds: int) -> None:
    mine, its = DRAW.normal(0.8, 1, size=seeds), DRAW.normal(size=seeds)
    expected = stats.ttest_rel(mine, its)
    difference = found(Sample(mine) - Sample(its))
    assert difference.p_value() == pytest.approx(expected.pvalue)
    assert difference.interval() == pytest.approx(tuple(expected.confidence_interval()))
    shifted = stats.ttest_1samp(mine - its, 0.3)
    assert difference.p_value(0.3) == pytest.approx(shifted.pvalue)


def test_with_examples_alone_it_is_the_t_test_over_examples() -> None:
    values = DRAW.normal(0.2, 1, size=80)
    table = np.broadcast_to(values, (4, 80))  # seeds that agree
    expected = stats.ttest_1samp(values, 0)
    its = found(Sample(table.mean(axis=1), (table,)))
    assert its.p_value() == pytest.approx(expected.pvalue)
    assert its.interval() == pytest.approx(tuple(expected.confidence_interval()))


def test_its_parts_are_the_mean_squares_of_a_crossed_design() -> None:
    table = crossed(4, 12, (1.0, 2.0, 0.7))
    long = pd.DataFrame(
        {"y": table.reshape(-1), "seed": np.repeat(range(4), 12).astype(str), "example": list(range(12)) * 4}
    ).astype({"example": str})
    squares = anova_lm(ols("y ~ C(seed) + C(example)", data=long).fit()).mean_sq
    its = found(Sample(table.mean(axis=1), (table,)))
    assert its.seed_part == pytest.approx(squares["C(seed)"] / table.size)
    assert its.other_part == pytest.approx((squares["C(example)"] - squares["Residual"]) / table.size)
    between, within = squares["C(example)"], squares["Residual"]
    satterthwaite = (between - within) ** 2 / (between**2 / 11 + within**2 / 33)
    assert its.other_degrees == pytest.approx(max(satterthwaite, 3))


@pytest.mark.parametrize("seeds", [3, 5, 12])
def test_power_is_that_of_the_t_test(seeds: int) -> None:
    values = DRAW.normal(size=seeds)
    spread, its = values.std(ddof=1), found(Sample(values))
    for effect in (0.3, 1.0, 2.5):
        expected = stats.nct.sf(stats.t.ppf(0.975, seeds - 1), seeds - 1, effect * np.sqrt(seeds))
        assert its.power(effect * spread) == pytest.approx(expected, rel=1e-6)
    smallest = TTestPower().solve_power(nobs=seeds, power=0.8, alpha=0.05)
    assert its.smallest_detectable() / spread == pytest.approx(smallest, rel=1e-4)


@pytest.mark.parametrize("effect", [0.5, 0.9, 2.0])
def test_seeds_needed_are_those_of_the_t_test(effect: float) -> None:
    values = DRAW.normal(size=6)
    expected = TTestPower().solve_power(effect_size=effect, power=0.8, alpha=0.05)
    assert found(Sample(values)).seeds_needed(effect * values.std(ddof=1)) == np.ceil(expected)


def test_holm_is_statsmodels() -> None:
    for size in (1, 2, 7, 40):
        raw = DRAW.uniform(size=size) ** 3
        assert holm(raw) == pytest.approx(multipletests(raw, method="holm")[1])
    assert len(holm([])) == 0
