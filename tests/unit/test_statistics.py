"""Intervals and tests against closed forms, enumeration and computation by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from harness.table.statistics import (
    REPLICATES,
    Floats,
    aggregator,
    example_weights,
    interval,
    paired_permutations,
    rank_methods,
    replicates,
    seed_weights,
)

NORMAL = 1.959964  # the 97.5% quantile of the standard normal


def paired_permutation(a: Floats, b: Floats) -> float:
    """The plain test of one against another."""
    return paired_permutations(a, [b])[0]


def test_aggregators_are_the_metrics() -> None:
    f1, perplexity, rouge = aggregator("f1"), aggregator("perplexity"), aggregator("rougeL")
    assert f1 is not None
    assert perplexity is not None
    assert rouge is not None
    assert f1(np.array([[3.0, 1.0, 2.0], [0.0, 0.0, 0.0]])) == pytest.approx([100 * 6 / 9, 0.0])
    assert perplexity(np.array([20.0, 10.0])) == pytest.approx(np.exp(2.0))
    assert np.isfinite(perplexity(np.array([1e9, 1.0])))
    assert rouge(np.array([90.0, 3.0])) == pytest.approx(30.0)
    assert aggregator("bleu") is None  # no function of sums over examples: it gets no interval


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
            assert aggregate(np.sum(rows, axis=0, dtype=float)) == pytest.approx(scores["scores"][name])


def test_example_weights_draw_n_examples() -> None:
    weights = example_weights("ner", "nl", 50)
    assert weights.shape == (REPLICATES, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.03)  # multinomial counts
    assert not np.array_equal(weights, example_weights("ner", "fi", 50))
    example_weights.cache_clear()
    assert np.array_equal(weights, example_weights("ner", "nl", 50))


def test_replicates_equal_a_loop() -> None:
    draw = np.random.default_rng(0)
    statistics = draw.integers(0, 4, size=(3, 20, 3)).astype(float)
    weights = example_weights("ner", "nl", 20)
    found = replicates("f1", statistics, weights)
    assert found is not None
    for replicate, seed in product((0, 7), range(3)):
        rows = np.repeat(statistics[seed], weights[replicate], axis=0)
        true, wrong, missed = rows.sum(axis=0)
        assert found[replicate, seed] == pytest.approx(200 * true / (2 * true + wrong + missed))


def test_interval_over_examples_has_the_standard_error_of_a_mean() -> None:
    values = np.random.default_rng(1).normal(50, 10, size=200)
    rows = np.stack([values, np.ones(200)], axis=1)
    part = replicates("rouge1", np.stack([rows, rows]), example_weights("sums", "nl", 200))  # seeds that agree
    assert part is not None
    low, high = interval([part]) or (0.0, 0.0)
    error = values.std() / np.sqrt(200)
    assert high - low == pytest.approx(2 * NORMAL * error, rel=0.1)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.3 * error)


def test_interval_over_seeds_has_the_standard_error_of_a_mean() -> None:
    levels = np.random.default_rng(2).normal(50, 10, size=40)  # examples that agree
    part = np.broadcast_to(levels, (REPLICATES, 40))
    low, high = interval([part]) or (0.0, 0.0)
    assert high - low == pytest.approx(2 * NORMAL * levels.std() / np.sqrt(40), rel=0.1)


def test_crossed_variance_is_the_sum_of_both_parts() -> None:
    draw = np.random.default_rng(3)
    seeds, examples = 30, 150
    hard, good = draw.normal(0, 10, size=examples), draw.normal(0, 3, size=seeds)
    rows = np.stack([50 + good[:, None] + hard, np.ones((seeds, examples))], axis=2)
    part = replicates("rouge1", rows, example_weights("sums", "fi", examples))
    assert part is not None
    low, high = interval([part]) or (0.0, 0.0)
    error = np.sqrt(hard.var() / examples + good.var() / seeds)
    assert high - low == pytest.approx(2 * NORMAL * error, rel=0.1)


def test_domains_share_the_seeds_of_a_replicate() -> None:
    levels = np.array([40.0, 50.0, 60.0])
    up, down = np.broadcast_to(levels, (REPLICATES, 3)), np.broadcast_to(levels[::-1], (REPLICATES, 3))
    assert interval([up, down]) == pytest.approx((50.0, 50.0))  # opposite seeds cancel only when drawn together
    assert interval([up, up]) == interval([up])


def test_interval_of_domains_is_narrower_by_independent_examples() -> None:
    values = np.random.default_rng(4).normal(50, 10, size=(2, 200))
    parts = []
    for domain, its in zip(("nl", "fi"), values, strict=True):
        rows = np.stack([its, np.ones(200)], axis=1)
        part = replicates("rouge1", np.stack([rows, rows]), example_weights("sums", domain, 200))
        assert part is not None
        parts.append(part)
    low, high = interval(parts) or (0.0, 0.0)
    error = np.sqrt(values.var(axis=1).sum() / 200) / 2
    assert high - low == pytest.approx(2 * NORMAL * error, rel=0.1)


def test_single_seed_has_no_interval() -> None:
    assert interval([np.random.default_rng(0).normal(size=(REPLICATES, 1))]) is None
    assert seed_weights(3).sum(axis=1) == pytest.approx(np.ones(REPLICATES))


def test_exact_permutation_by_enumeration() -> None:
    draw = np.random.default_rng(5)
    for pairs in (1, 4, 9, 12):
        a, b = draw.normal(0.5, 1, size=pairs), draw.normal(size=pairs)
        observed = abs((a - b).sum())
        flips = [abs(np.dot(signs, a - b)) for signs in product((-1, 1), repeat=pairs)]
        expected = sum(flip >= observed - 1e-12 for flip in flips) / 2**pairs
        assert paired_permutation(a, b) == pytest.approx(expected)
        assert paired_permutation(b, a) == pytest.approx(expected)


def test_smallest_p_value_is_two_in_all_flips() -> None:
    assert paired_permutation(np.arange(6) + 1.0, np.zeros(6)) == 2 / 2**6
    assert paired_permutation(np.ones(5), np.ones(5)) == 1.0
    assert paired_permutation(np.empty(0), np.empty(0)) == 1.0


def test_random_permutation_is_near_the_exact_one_and_repeats() -> None:
    a = np.random.default_rng(6).normal(0.5, 1, size=14)
    flips = np.array(list(product((-1, 1), repeat=14))) @ a
    exact = (np.abs(flips) >= abs(a.sum()) - 1e-12).mean()
    found = paired_permutation(a, np.zeros(14))
    assert found == pytest.approx(exact, abs=0.015)
    assert found == paired_permutation(a, np.zeros(14))
    assert paired_permutation(np.arange(30) + 1.0, np.zeros(30)) == 1 / 10_001  # never zero


def test_the_correction_by_loops() -> None:
    draw = np.random.default_rng(7)
    differences = draw.normal(size=(5, 7)) * draw.uniform(0.1, 10, size=(5, 1)) + draw.uniform(0, 2, size=(5, 1))
    sizes = [np.sqrt(sum(value**2 for value in row)) for row in differences]
    observed = [abs(sum(row)) / size for row, size in zip(differences, sizes, strict=True)]
    expected, before = {}, 0.0
    for place in sorted(range(5), key=lambda place: -observed[place]):
        left = [other for other in range(5) if other not in expected]
        count = 0
        for signs in product((-1, 1), repeat=7):
            largest = max(abs(np.dot(signs, differences[other])) / sizes[other] for other in left)
            count += largest >= observed[place] - 1e-12
        expected[place] = before = max(before, count / 2**7)
    found = paired_permutations(np.zeros(7), [-row for row in differences])
    assert found == pytest.approx([expected[place] for place in range(5)])


def test_the_correction_knows_what_goes_together() -> None:
    draw = np.random.default_rng(8)
    a, b = draw.normal(0.8, 1, size=9), np.zeros(9)
    alone = paired_permutation(a, b)
    assert paired_permutations(a, [b] * 20) == pytest.approx([alone] * 20), "one question asked twenty times"
    strong = paired_permutations(np.full(9, 5.0) + draw.normal(size=9), [draw.normal(size=9) for _ in range(20)])
    assert max(strong) < 0.05, "nine pairs suffice for twenty rows"
    assert paired_permutations(a, []) == []


def test_the_correction_keeps_its_level() -> None:
    """Of twelve methods that are alike, some is told from the first in about one of twenty tables."""
    draw = np.random.default_rng(9)
    tables = 400
    wrong = 0
    for _ in range(tables):
        scores = draw.normal(size=(12, 9)) + draw.normal(size=9)
        wrong += min(paired_permutations(scores[0], list(scores[1:]))) <= 0.05
    assert wrong / tables < 0.05 + 3 * np.sqrt(0.05 * 0.95 / tables)
    assert wrong / tables > 0.01, "a correction that never rejects is none"


def test_ranks_follow_the_direction() -> None:
    base = np.linspace(0, 1, 9)
    scores = {"low": base, "high": base + 10, "middle": base + 5, "twin": base + 5}
    best_high = rank_methods(scores, "max")
    assert [(rank.method, rank.rank) for rank in best_high] == [("high", 1), ("middle", 2), ("twin", 2), ("low", 4)]
    assert [rank.method for rank in rank_methods(scores, "min")] == ["low", "middle", "twin", "high"]
    assert [rank.group for rank in best_high] == [1, 2, 2, 3]
    assert best_high[2].leader == "middle"
    assert best_high[0].p_value is None
    assert best_high[0].pairs == 9


def test_few_pairs_tie_everything() -> None:
    scores = {"good": np.full(4, 90.0), "bad": np.full(4, 10.0)}
    assert [rank.group for rank in rank_methods(scores, "max")] == [1, 1]  # the smallest p is 2 / 2**4
    assert rank_methods({}, "max") == []
