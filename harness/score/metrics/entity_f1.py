"""Entity-level micro F1 by seqeval, overall and per type, as a local `evaluate` metric."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
from seqeval.metrics import classification_report
from seqeval.metrics.sequence_labeling import get_entities


class EntityF1(evaluate.Metric):
    """Predictions and references are lists of IOB2 tags; an entity counts when span and type agree."""

    def _info(self) -> evaluate.MetricInfo:
        tags = datasets.List(datasets.Value("string"))
        return evaluate.MetricInfo(
            description=__doc__,
            citation="Nakayama, 2018 (seqeval)",
            features=datasets.Features({"predictions": tags, "references": tags}),
        )

    def _compute(self, predictions: list[list[str]], references: list[list[str]]) -> dict[str, Any]:
        """Scores in percent, and for each sentence its true positives, false positives, false negatives."""
        report = classification_report(references, predictions, output_dict=True, zero_division=0)
        whole = report.pop("micro avg", {"f1-score": 0.0, "precision": 0.0, "recall": 0.0})
        scores = {
            "f1": 100 * float(whole["f1-score"]),
            "precision": 100 * float(whole["precision"]),
            "recall": 100 * float(whole["recall"]),
        }
        for name, row in sorted(report.items()):
            if not name.endswith(" avg"):
                scores[f"f1_{name}"] = 100 * float(row["f1-score"])
        counts = []
        for guess, gold in zip(predictions, references, strict=True):
            found, wanted = set(get_entities(guess)), set(get_entities(gold))
            counts.append([len(found & wanted), len(found - wanted), len(wanted - found)])
        return {"scores": scores, "statistics": {"f1": counts}}
