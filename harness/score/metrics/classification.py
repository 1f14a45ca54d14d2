"""Accuracy, F1 and Matthews' correlation of classes by scikit-learn, as a local `evaluate` metric.

F1 of two classes is that of the second, the positive one; of more it is the mean over the classes that occur. A
Matthews correlation is not defined where all answers, or all references, are one class: there it has no value.
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef


class Classification(evaluate.Metric):
    """Predictions and references are names of classes."""

    def _info(self) -> evaluate.MetricInfo:
        name = datasets.Value("string")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="Matthews, 1975; Gorodkin, 2004 (several classes)",
            features=datasets.Features({"predictions": name, "references": name}),
        )

    def _compute(
        self, predictions: list[str], references: list[str], classes: list[str] | None = None
    ) -> dict[str, Any]:
        """Scores in percent, and what each example adds to the counts that they are made of.

        `classes` are all there are, in the task's order; those that occur, sorted, where they are not given.
        """
        names = classes or sorted({*predictions, *references})
        counted = _confusions(predictions, references, names)
        scores: dict[str, float | None] = {"accuracy": 100 * float(accuracy_score(references, predictions))}
        binary = len(names) == 2
        how = {"pos_label": names[1], "average": "binary"} if binary else {"average": "macro"}
        scores["f1"] = 100 * float(f1_score(references, predictions, zero_division=0, **how))
        undefined = {}
        for whose, labels in (("answer", predictions), ("reference", references)):
            if len(set(labels)) == 1:
                undefined["matthews"] = f"every {whose} is {labels[0]!r}, so no correlation is defined"
        scores["matthews"] = None if undefined else 100 * float(matthews_corrcoef(references, predictions))
        right = np.trace(counted, axis1=1, axis2=2)
        statistics = {
            "accuracy": np.stack([100.0 * right, np.ones(len(right))], axis=1).tolist(),
            "f1": _hits_and_misses(counted)[:, 1 if binary else slice(None)].reshape(len(right), -1).tolist(),
            "matthews": counted.reshape(len(right), -1).astype(float).tolist(),
        }
        return {"scores": scores, "statistics": statistics, "undefined": undefined}


def _confusions(predictions: list[str], references: list[str], names: list[str]) -> Any:
    """Each example's own confusion matrix, [n, references, answers]: a one and else zeros."""
    place = {name: number for number, name in enumerate(names)}
    counted = np.zeros((len(references), len(names), len(names)), dtype=int)
    for one, its, guess in zip(counted, references, predictions, strict=True):
        one[place[its], place[guess]] = 1
    return counted


def _hits_and_misses(counted: Any) -> Any:
    """Of confusions [n, references, answers] each class's true and false positives and false negatives, [n, C, 3]."""
    hits = np.diagonal(counted, axis1=1, axis2=2)
    return np.stack([hits, counted.sum(axis=1) - hits, counted.sum(axis=2) - hits], axis=2).astype(float)
