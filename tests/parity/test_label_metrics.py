"""Metrics of classes and numbers against their formulas, also where they are not defined."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.score.score import score_rows
from harness.table.influence import influences

KIND: Any = "sequence-classification"
ABC = ["a", "b", "c"]


def scored(predicted: list[Any], labels: list[Any], classes: list[str] | None = None) -> dict[str, Any]:
    rows = [{"label": its, "predicted": guess} for its, guess in zip(labels, predicted, strict=True)]
    return score_rows(KIND, rows, {"classification": {"classes": classes}} if classes else None)


def drawn(classes: list[str], seed: int = 0, size: int = 40) -> tuple[list[str], list[str]]:
    draw = np.random.default_rng(seed)
    labels = [classes[place] for place in draw.integers(len(classes), size=size)]
    return [its if draw.random() < 0.6 else classes[draw.integers(len(classes))] for its in labels], labels


@pytest.mark.parametrize("seed", range(5))
def test_two_classes_are_scored_by_their_counts(seed: int) -> None:
    predicted, labels = drawn(["no", "yes"], seed)
    counts = {(its, guess): 0 for its in ("no", "yes") for guess in ("no", "yes")}
    for pair in zip(labels, predicted, strict=True):
        counts[pair] += 1
    tp, tn, fp, fn = counts["yes", "yes"], counts["no", "no"], counts["no", "yes"], counts["yes", "no"]
    matthews = (tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    found = scored(predicted, labels, ["no", "yes"])["scores"]
    assert found["accuracy"] == pytest.approx(100 * (tp + tn) / len(labels))
    assert found["f1"] == pytest.approx(200 * tp / (2 * tp + fp + fn))
    assert found["matthews"] == pytest.approx(100 * matthews)
    turned = scored(predicted, labels, ["yes", "no"])["scores"]
    assert turned["f1"] == pytest.approx(200 * tn / (2 * tn + fp + fn))  # of the second class, whichever it is


@pytest.mark.parametrize("seed", range(3))
def test_several_classes_are_scored_by_correlated_indicators(seed: int) -> None:
    """Gorodkin's definition: the covariance of indicators, summed over classes, by the roots of the variances."""
    predicted, labels = drawn(ABC, seed)
    x, y = (np.array([[name == its for name in ABC] for its in given], dtype=float) for given in (predicted, labels))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    wanted = 100 * (x * y).sum() / math.sqrt((x * x).sum() * (y * y).sum())
    assert scored(predicted, labels, ABC)["scores"]["matthews"] == pytest.approx(wanted)
    each = []
    for name in ABC:
        against = [["yes" if its == name else "no" for its in given] for given in (predicted, labels)]
        each.append(scored(*against, ["no", "yes"]))
    mean = np.mean([its["scores"]["f1"] for its in each])
    assert scored(predicted, labels, ABC)["scores"]["f1"] == pytest.approx(mean)


def test_f1_passes_over_a_class_that_does_not_occur() -> None:
    assert scored(["a", "b"], ["a", "b"], ABC)["scores"]["f1"] == 100.0


@pytest.mark.parametrize(
    ("predicted", "labels", "told"),
    [
        (["a", "a", "a"], ["a", "b", "a"], "every answer is 'a'"),
        (["a", "b", "a"], ["b", "b", "b"], "every reference is 'b'"),
        (["a"], ["a"], "every reference is 'a'"),
        ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], "every answer is 2"),
        ([1.0, 2.0], [3.0, 3.0], "every reference is 3"),
        ([1.0], [1.0], "every answer is 1"),
    ],
)
def test_a_correlation_with_a_constant_is_a_hole_and_not_zero(
    predicted: list[Any], labels: list[Any], told: str
) -> None:
    found = scored(predicted, labels)
    names = {"matthews"} if isinstance(labels[0], str) else {"pearson", "spearman"}
    assert names == set(found["undefined"])
    for name in names:
        assert found["scores"][name] is None
        assert told in found["undefined"][name]
    if isinstance(labels[0], str):
        assert found["scores"]["accuracy"] is not None


def test_numbers_are_scored_by_both_correlations() -> None:
    draw = np.random.default_rng(3)
    labels = draw.integers(0, 6, size=50).astype(float)  # with ties
    predicted = labels + draw.normal(size=50)
    found = scored(predicted.tolist(), labels.tolist())
    x, y = predicted - predicted.mean(), labels - labels.mean()
    wanted = 100 * (x * y).sum() / math.sqrt((x * x).sum() * (y * y).sum())
    assert found["scores"]["pearson"] == pytest.approx(wanted)
    ranks = [[(row < its).sum() + ((row == its).sum() + 1) / 2 for its in row] for row in (predicted, labels)]
    assert found["scores"]["spearman"] == pytest.approx(100 * np.corrcoef(ranks)[0, 1])
    assert scored([1.0, 2.0, 3.0], [5.0, 4.0, 0.0])["scores"]["spearman"] == pytest.approx(-100.0)


CASES = {
    "accuracy": lambda: drawn(["no", "yes"]), "f1": lambda: drawn(ABC), "matthews": lambda: drawn(ABC, 1),
    "pearson": lambda: numbers(), "spearman": lambda: numbers(),
}  # fmt: skip


def numbers() -> tuple[list[float], list[float]]:
    draw = np.random.default_rng(5)
    labels = draw.integers(0, 6, size=30).astype(float)
    return (labels + draw.normal(size=30)).tolist(), labels.tolist()


@pytest.mark.parametrize("metric", CASES)
def test_an_influence_is_what_the_metric_loses_without_the_example(metric: str) -> None:
    draw: Callable[[], tuple[list[Any], list[Any]]] = CASES[metric]
    predicted, labels = draw()
    classes = ABC if "c" in labels else ["no", "yes"] if "no" in labels else None
    whole = scored(predicted, labels, classes)
    rows = np.array(whole["statistics"][metric], dtype=float)[None]
    found = influences(metric, rows)
    assert found is not None
    for place in (0, 7, len(labels) - 1):
        left = [its[:place] + its[place + 1 :] for its in (predicted, labels)]
        without = scored(*left, classes)["scores"][metric]
        assert found[0, place] == pytest.approx((len(labels) - 1) * (whole["scores"][metric] - without))


def test_an_example_without_which_nothing_is_defined_counts_as_all_of_the_score() -> None:
    rows = np.array([[1.0, 2.0], [1.0, 2.0], [4.0, 5.0]])[None]
    for metric in ("pearson", "spearman"):
        found = influences(metric, rows)
        assert found is not None
        assert found[0].tolist() == pytest.approx([0.0, 0.0, 200.0])
