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

    def _compute(self, predictions: list[str], references: list[str], tokenizer: str = "13a") -> dict[str, Any]:
        """BLEU-4 with one of sacrebleu's tokenizers."""
        found = sacrebleu.corpus_bleu(predictions, [references], tokenize=tokenizer)
        return {"scores": {"bleu": found.score}, "statistics": {}}
