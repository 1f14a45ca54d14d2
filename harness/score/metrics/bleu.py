"""Corpus BLEU by sacrebleu, as a local `evaluate` metric."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import sacrebleu


class Bleu(evaluate.Metric):
    """Predictions and references are strings, one reference for each."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="Post, 2018",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        """BLEU-4 with the 13a tokenizer."""
        return {"scores": {"bleu": sacrebleu.corpus_bleu(predictions, [references]).score}, "statistics": {}}
