"""CIDEr-D, as a local `evaluate` metric."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import evaluate

from harness.score.texts import TEXTS, several, words

ORDER = 4
SPREAD = 6.0  # of the penalty of a length, in words (Vedantam et al., 2015, equation 5)
SCALE = 10.0

Gram = tuple[str, ...]
Counts = Counter[Gram]


class Cider(evaluate.Metric):
    """Predictions are strings; references a string each, or a list of strings."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(description=__doc__, citation="Vedantam et al., 2015", features=TEXTS)

    def _compute(self, predictions: list[str], references: list[Any]) -> dict[str, Any]:
        """CIDEr-D from 0 to 10, the mean over predictions (Vedantam et al., 2015, section 5); words in small letters.

        A text is a vector for each n from 1 to 4: of each n-gram its count times log(records / records that have it in
        a reference). A prediction's score against a reference is the product of the two, the prediction's weights cut
        to the reference's, over both lengths; times a Gaussian of the difference of their numbers of words; times 10.
        It is averaged over references and over n. It is what captions' scripts call CIDEr and papers print under that
        name. With a single record every weight is zero, and so is the score.
        """
        guesses = [counted(words(its)) for its in predictions]
        golds = [[counted(words(its)) for its in own] for own in several(references)]
        weights = _weights(golds)
        rows = [
            [SCALE * fmean(_alike(guess, gold, weights, len(golds)) for gold in own), 1.0]
            for guess, own in zip(guesses, golds, strict=True)
        ]
        return {"scores": {"cider": fmean(value for value, _ in rows)}, "statistics": {"cider": rows}}


def counted(text: list[str]) -> Counts:
    """How often each n-gram stands in a text, n from 1 to 4."""
    grams = (tuple(text[begin : begin + n]) for n in range(1, ORDER + 1) for begin in range(len(text) - n + 1))
    return Counter(grams)


def _weights(golds: list[list[Counts]]) -> dict[Gram, float]:
    """The inverse document frequency of each n-gram; a document is all references of a record."""
    held = Counter(gram for own in golds for gram in {gram for gold in own for gram in gold})
    return {gram: math.log(len(golds) / count) for gram, count in held.items()}


def _alike(guess: Counts, gold: Counts, weights: Mapping[Gram, float], records: int) -> float:
    """The mean over n of two texts' likeness, 0 where one of them has no weight at an n."""
    unseen = math.log(records)  # in no reference, as if in one
    mine = {gram: count * weights.get(gram, unseen) for gram, count in guess.items()}
    its = {gram: count * weights[gram] for gram, count in gold.items()}
    shared, my_squares, its_squares = ([0.0] * (ORDER + 1) for _ in range(3))
    for gram, value in mine.items():
        my_squares[len(gram)] += value**2
        shared[len(gram)] += min(value, its.get(gram, 0.0)) * its.get(gram, 0.0)
    for gram, value in its.items():
        its_squares[len(gram)] += value**2
    apart = _length(guess) - _length(gold)
    near = math.exp(-(apart**2) / (2 * SPREAD**2))
    norms = [math.sqrt(my_squares[n] * its_squares[n]) for n in range(ORDER + 1)]
    return near * fmean(shared[n] / norms[n] if norms[n] else 0.0 for n in range(1, ORDER + 1))


def _length(text: Counts) -> int:
    """How many words a text has."""
    return sum(count for gram, count in text.items() if len(gram) == 1)
