"""ROUGE-1/2/L F1 by rouge-score, as a local `evaluate` metric."""

from __future__ import annotations

from typing import Any

import evaluate
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize

from harness.data.words import unicode_words
from harness.score.metrics.stems import STEMS
from harness.score.texts import TEXTS, several

NAMES = ["rouge1", "rouge2", "rougeL"]


class English:
    """rouge-score's own tokenizer, with stems that are remembered."""

    def tokenize(self, text: str) -> list[str]:
        """The stems of a text's words of more than three letters, and the shorter words."""
        found: list[str] = tokenize(text, STEMS)
        return found


class AnyScript:
    """A tokenizer for rouge-score that keeps the letters of every script, whole: Porter's stems are English."""

    def tokenize(self, text: str) -> list[str]:
        """The words of a text."""
        return unicode_words(text)


class Rouge(evaluate.Metric):
    """Predictions are strings; references a string each, or a list of strings."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(description=__doc__, citation="Lin, 2004", features=TEXTS)

    def _compute(self, predictions: list[str], references: list[Any], tokenizer: str = "english") -> dict[str, Any]:
        """Mean F1 in percent, and the F1 of each example; of several references each metric takes the best one."""
        choices = {"english": English, "unicode": AnyScript}
        scorer = RougeScorer(NAMES, tokenizer=choices[tokenizer]())
        rows = [scorer.score_multi(gold, guess) for guess, gold in zip(predictions, several(references), strict=True)]
        statistics = {name: [[100 * row[name].fmeasure, 1.0] for row in rows] for name in NAMES}
        scores = {name: sum(value for value, _ in its) / len(its) for name, its in statistics.items()}
        return {"scores": scores, "statistics": statistics}
