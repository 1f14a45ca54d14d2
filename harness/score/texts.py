"""What metrics of generated texts share: their inputs, and words as NIST, METEOR and CIDEr count them here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import datasets
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

_TEXT = datasets.Value("string")
TEXTS = [  # a reference for each prediction, or a list of them
    datasets.Features({"predictions": _TEXT, "references": _TEXT}),
    datasets.Features({"predictions": _TEXT, "references": datasets.Sequence(_TEXT)}),
]


def several(references: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """Each prediction's references as a list."""
    return [[its] if isinstance(its, str) else list(its) for its in references]


@cache
def words(text: str) -> list[str]:
    """The words of a text in small letters, parted as mteval-v13a and the script of the E2E challenge do."""
    return [word for word in Tokenizer13a()(text).lower().split(" ") if word]
