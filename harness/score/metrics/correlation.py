"""Pearson's and Spearman's correlation by scipy, in percent, as a local `evaluate` metric.

A correlation is not defined where all answers, or all references, are one number: there it has no value.
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
from scipy.stats import pearsonr, spearmanr


class Correlation(evaluate.Metric):
    """Predictions and references are numbers."""

    def _info(self) -> evaluate.MetricInfo:
        number = datasets.Value("float64")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="Pearson, 1895; Spearman, 1904",
            features=datasets.Features({"predictions": number, "references": number}),
        )

    def _compute(self, predictions: list[float], references: list[float]) -> dict[str, Any]:
        """Both correlations, and each example's answer and reference."""
        rows = [[float(guess), float(its)] for guess, its in zip(predictions, references, strict=True)]
        for whose, numbers in (("answer", predictions), ("reference", references)):
            if len(set(numbers)) == 1:
                why = f"every {whose} is {numbers[0]:g}, so no correlation is defined"
                names = ("pearson", "spearman")
                return {"scores": dict.fromkeys(names), "statistics": {}, "undefined": dict.fromkeys(names, why)}
        scores = {
            "pearson": 100 * float(pearsonr(predictions, references).statistic),
            "spearman": 100 * float(spearmanr(predictions, references).statistic),
        }
        return {"scores": scores, "statistics": dict.fromkeys(scores, rows), "undefined": {}}
