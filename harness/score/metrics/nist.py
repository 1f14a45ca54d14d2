"""NIST by nltk, as a local `evaluate` metric."""

from __future__ import annotations

from typing import Any

import evaluate
from nltk.translate.nist_score import corpus_nist

from harness.score.texts import TEXTS, several, words

ORDER = 5


class Nist(evaluate.Metric):
    """Predictions are strings; references a string each, or a list of strings."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(description=__doc__, citation="Doddington, 2002", features=TEXTS)

    def _compute(self, predictions: list[str], references: list[Any]) -> dict[str, Any]:
        """NIST-5 (Doddington, 2002, equation 3), from 0 upwards, over words in small letters.

        The information of an n-gram, log2 of how often its beginning stands in all references over how often it does,
        is summed over those that a prediction shares with a reference, over all that it has, and over n from 1 to 5;
        then comes the penalty of a length below the references'. As nltk has it, the reference that serves a prediction
        best is taken for each n, and its length counts. An n of which no prediction has an n-gram adds nothing.
        """
        guesses, golds = (
            [words(its) for its in predictions],
            [[words(its) for its in own] for own in several(references)],
        )
        order = min(ORDER, max(len(guess) for guess in guesses))
        score = corpus_nist(golds, guesses, order) if order else 0.0
        return {"scores": {"nist": float(score)}, "statistics": {}}
