"""Perplexity a token, as a local `evaluate` metric.

exp(sum of negative log-likelihoods / number of predicted tokens), in tokens of the model's own
tokenizer, the end sign included, the start sign not. Documents longer than the window are read in
windows without overlap (stride = window), so a token sees at most its own window. Values compare
only between methods on the same backbone.
"""

from __future__ import annotations

import math
from typing import Any

import datasets
import evaluate


class Perplexity(evaluate.Metric):
    """Predictions are {nll, tokens} of each document; references are not used."""

    def _info(self) -> evaluate.MetricInfo:
        row = {"nll": datasets.Value("float64"), "tokens": datasets.Value("int64")}
        return evaluate.MetricInfo(
            description=__doc__,
            citation="Jelinek et al., 1977",
            features=datasets.Features({"predictions": row, "references": datasets.Value("string")}),
        )

    def _compute(self, predictions: list[dict[str, Any]], references: list[str]) -> dict[str, Any]:
        """The perplexity of all documents together, and what each document adds to both sums."""
        rows = [[float(row["nll"]), float(row["tokens"])] for row in predictions]
        return {"scores": {"perplexity": perplexity_of(rows)}, "statistics": {"perplexity": rows}}


def perplexity_of(rows: list[list[float]]) -> float:
    """The perplexity a token of all rows together, each [nll, tokens]."""
    nll, tokens = sum(row[0] for row in rows), sum(row[1] for row in rows)
    return math.exp(min(nll / tokens, 700.0))
