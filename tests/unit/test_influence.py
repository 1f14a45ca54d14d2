"""Aggregators are the metrics, and an example's influence is what the score loses without it."""

from __future__ import annotations

import numpy as np
import pytest

from harness.score.scale import scaled, unscaled, within
from harness.table.influence import aggregator, influences


def test_aggregators_are_the_metrics_on_their_scale() -> None:
    f1, perplexity, rouge = aggregator("f1"), aggregator("perplexity"), aggregator("rougeL")
    assert f1 is not None
    assert perplexity is not None
    assert rouge is not None
    assert f1(np.array([[3.0, 1.0, 2.0], [0.0, 0.0, 0.0]])) == pytest.approx([100 * 6 / 9, 0.0])
    assert perplexity(np.array([20.0, 10.0])) == pytest.approx(2.0)
    assert perplexity(np.array([1e9, 1.0])) == 700
    assert rouge(np.array([90.0, 3.0])) == pytest.approx(30.0)
    assert aggregator("bleu") is None  # no function of sums over examples


def test_aggregators_agree_with_the_metric_modules() -> None:
    from harness.score.score import metric

    tags = [["B-PER", "O", "B-LOC"], ["O", "O"], ["B-ORG", "I-ORG"]]
    guess = [["B-PER", "O", "O"], ["B-LOC", "O"], ["B-ORG", "I-ORG"]]
    texts = ["the cat sat", "on a mat"], ["the cat sat down", "a mat"]
    documents = [{"nll": 12.5, "tokens": 5}, {"nll": 40.0, "tokens": 11}]
    found = [
        metric("entity_f1").compute(predictions=guess, references=tags),
        metric("rouge").compute(predictions=texts[0], references=texts[1]),
        metric("perplexity").compute(predictions=documents, references=["", ""]),
    ]
    for scores in found:
        for name, rows in scores["statistics"].items():
            aggregate = aggregator(name)
            assert aggregate is not None
            assert aggregate(np.sum(rows, axis=0, dtype=float)) == pytest.approx(scaled(name, scores["scores"][name]))


@pytest.mark.parametrize("metric", ["f1", "rouge1", "perplexity"])
def test_an_influence_is_what_the_score_loses_without_the_example(metric: str) -> None:
    statistics = np.random.default_rng(0).integers(1, 5, size=(3, 20, 3)).astype(float)
    found, aggregate = influences(metric, statistics), aggregator(metric)
    assert found is not None
    assert aggregate is not None
    for seed, example in ((0, 0), (2, 7)):
        without = np.delete(statistics[seed], example, axis=0).sum(axis=0)
        expected = 19 * (aggregate(statistics[seed].sum(axis=0)) - aggregate(without))
        assert found[seed, example] == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["f1", "rouge1", "perplexity"])
def test_their_spread_is_that_of_the_bootstrap(metric: str) -> None:
    """An independent oracle: the variance over resampled test sets."""
    draw = np.random.default_rng(1)
    statistics = draw.integers(1, 6, size=(1, 200, 3)).astype(float)
    found, aggregate = influences(metric, statistics), aggregator(metric)
    assert found is not None
    assert aggregate is not None
    drawn = [aggregate(statistics[0][draw.integers(200, size=200)].sum(axis=0)) for _ in range(4000)]
    assert found[0].var(ddof=1) / 200 == pytest.approx(np.var(drawn), rel=0.1)


def test_a_mean_moves_by_the_distance_from_it() -> None:
    values = np.array([1.0, 2.0, 6.0])
    found = influences("rouge1", np.stack([values, np.ones(3)], axis=1)[None])
    assert found is not None
    assert found[0] == pytest.approx(values - 3.0)


def test_no_sums_and_single_examples_tell_nothing() -> None:
    assert influences("bleu", np.ones((2, 5, 2))) is None
    assert influences("f1", np.ones((2, 1, 3))) is None
    nothing = influences("f1", np.zeros((2, 4, 3)))
    assert nothing is not None
    assert not nothing.any()  # no entity anywhere: no example moves the score


def test_perplexities_are_averaged_as_logarithms() -> None:
    assert unscaled("perplexity", scaled("perplexity", [10.0, 1000.0]).mean()) == pytest.approx(100.0)
    assert unscaled("f1", scaled("f1", [10.0, 20.0]).mean()) == pytest.approx(15.0)


def test_an_interval_ends_where_the_metric_does() -> None:
    assert (within("f1", -2.0), within("rouge1", 101.0), within("perplexity", 0.5)) == (0.0, 100.0, 1.0)
    assert within("perplexity", 1e9) == 1e9
