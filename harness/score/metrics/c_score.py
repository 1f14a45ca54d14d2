"""C-score of generated replies (Madotto et al., 2019, section 3.2): whether they agree with the speaker's persona.

A model of natural language inference judges each reply against each sentence of the persona: 1 where the sentence
follows from the reply, -1 where the reply contradicts it, 0 otherwise. A reply's score is the sum over the sentences,
and `c_score` the mean over replies; so it lies between minus and plus the number of the persona's sentences.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import datasets
import evaluate

from harness.score.judge import judge_in


class CScore(evaluate.Metric):
    """Predictions are {replies}, texts or None; references the sentences of each dialogue's persona."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        its = {"predictions": {"replies": datasets.List(text)}, "references": datasets.List(text)}
        return evaluate.MetricInfo(
            description=__doc__, citation="Madotto et al., 2019", features=datasets.Features(its)
        )

    def compute(self, *, predictions: list[dict[str, Any]], references: list[Any], **options: Any) -> dict[str, Any]:
        """The score of what was generated; none where some prediction has no replies."""
        replies = [{"replies": row.get("replies")} for row in predictions]
        found: dict[str, Any] = super().compute(predictions=replies, references=references, **options)
        return found

    def _compute(self, predictions: list[Any], references: list[list[str]], judge: str) -> dict[str, Any]:
        """The score, and of each dialogue the sum of its replies' scores and their number; `judge` is a folder."""
        if any(row["replies"] is None for row in predictions):
            return {"scores": {}, "statistics": {}}
        told = [
            [(reply, sentence) for sentence in persona]
            for row, persona in zip(predictions, references, strict=True)
            for reply in row["replies"]
        ]
        judged = iter(judge_in(Path(judge)).judge([pair for pairs in told for pair in pairs]))
        sums = iter([sum(next(judged) for _ in pairs) for pairs in told])
        rows = [[next(sums) for _ in row["replies"]] for row in predictions]
        return {
            "scores": {"c_score": fmean(its for row in rows for its in row)},
            "statistics": {"c_score": [[float(sum(row)), float(len(row))] for row in rows]},
        }
