"""The checkpoint that a task's numbers were made with, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

UNKNOWN = "checkpoint not on record"
DIGITS = 10  # of the hash of the weights


def models_in_words(models: Iterable[Any]) -> str:
    """Every checkpoint among records' `model` values (JSON, None of cells without one), the same order in every run."""
    found = sorted({in_words(json.loads(model)) for model in models if isinstance(model, str)})
    return "; ".join(found) or UNKNOWN


def in_words(model: dict[str, Any]) -> str:
    """A checkpoint as `harness/backbone/identity.py` describes it."""
    commit = f" at {model['revision'][:DIGITS]}" if model["revision"] else ""
    size = parameters_in_words(model["parameters"])
    return f"{model['type']}, {size} parameters, {model['from']}{commit}, weights {model['sha256'][:DIGITS]}"


def parameters_in_words(count: int) -> str:
    """A number of parameters to three digits: 22.7M, 1.24B, 940k."""
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * unit:
            return f"{count / unit:#.3g}".rstrip(".") + letter
    return str(count)
