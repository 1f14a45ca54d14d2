"""Corpus BLEU by sacrebleu, as a local `evaluate` metric."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import evaluate
import sacrebleu

from harness.score.texts import TEXTS, several


class Bleu(evaluate.Metric):
    """Predictions are strings; references a string each, or a list of strings, of which some rows may have more."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(description=__doc__, citation="Post, 2018", features=TEXTS)

    def _compute(
        self, predictions: list[str], references: list[Any], tokenizer: str = "13a", lowercase: bool = False
    ) -> dict[str, Any]:
        """BLEU-4 in percent with one of sacrebleu's tokenizers (Papineni et al., 2002).

        An n-gram counts as often as the reference that has it most often, and the length that a prediction should have
        is that of the reference nearest to it. In small letters with the tokenizer `13a` it counts what the script of
        the E2E challenge does.
        """
        streams = list(zip_longest(*several(references)))  # sacrebleu takes the first references, then the second ones
        found = sacrebleu.corpus_bleu(predictions, streams, tokenize=tokenizer, lowercase=lowercase)
        return {"scores": {"bleu": found.score}, "statistics": {}}
