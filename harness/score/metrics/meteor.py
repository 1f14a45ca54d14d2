"""METEOR by nltk, as a local `evaluate` metric: with synonyms of the word net, and without them."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import evaluate
from nltk.corpus import wordnet
from nltk.translate.meteor_score import meteor_score

from harness.score.metrics.stems import STEMS
from harness.score.texts import TEXTS, several, words

MISSING = (
    "nltk's word net is not on this machine, which knows the synonyms; fetch it (python -m nltk.downloader wordnet)"
)


class NoSynonyms:
    """Stands for the word net where synonyms do not count."""

    def synsets(self, word: str) -> list[Any]:
        """No synonyms of any word."""
        return []


class Meteor(evaluate.Metric):
    """Predictions are strings; references a string each, or a list of strings."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(description=__doc__, citation="Lavie and Agarwal, 2007", features=TEXTS)

    def _compute(self, predictions: list[str], references: list[Any]) -> dict[str, Any]:
        """Means over predictions of METEOR against the best reference, in percent (Lavie and Agarwal, 2007).

        Words are matched exactly, then by Porter's stems, then as synonyms. The score is the harmonic mean of precision
        and recall, recall weighed nine times, less a penalty for matches in many pieces; nltk computes it, with its own
        constants. `meteor` needs nltk's word net, and has no value where that is not installed; `meteor_stem` is
        the same without synonyms, on any machine.
        """
        pairs = [
            (words(guess), [words(its) for its in own])
            for guess, own in zip(predictions, several(references), strict=True)
        ]
        found = {"meteor_stem": _rows(pairs, NoSynonyms())} | (
            {"meteor": _rows(pairs, wordnet)} if _installed() else {}
        )
        scores = {name: fmean(value for value, _ in rows) for name, rows in found.items()}
        undefined = {} if "meteor" in found else {"meteor": MISSING}
        return {"scores": {"meteor": None} | scores, "statistics": found, "undefined": undefined}


def _rows(pairs: list[tuple[list[str], list[list[str]]]], net: Any) -> list[list[float]]:
    return [[100 * meteor_score(golds, guess, stemmer=STEMS, wordnet=net), 1.0] for guess, golds in pairs]


def _installed() -> bool:
    try:
        wordnet.ensure_loaded()
    except LookupError:
        return False
    return True
