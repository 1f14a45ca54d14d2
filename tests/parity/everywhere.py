"""The tiny models on which the parity tests of adaptations run."""

from __future__ import annotations

import pytest

MODELS = [
    ("bert", "token-classification", 7),
    ("roberta", "token-classification", 7),
    ("gpt2", "causal-lm", None),
    ("bart", "summarization", None),
]
NAMES = ("architecture", "kind", "labels")
everywhere = pytest.mark.parametrize(NAMES, MODELS)
# The decoder with a head of its own too.
every_pairing = pytest.mark.parametrize(NAMES, [*MODELS, ("gpt2", "token-classification", 7)])
