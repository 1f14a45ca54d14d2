"""The rates that a search found, for who takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.adapt.failure import Failure, read_failure
from harness.base.files import read_json


def searched(rates_from: str | None, whose: Literal["train", "prepare"]) -> dict[str, float]:
    """The rates in a search's file, of a method's training or of a preparation; none where none was searched."""
    if rates_from is None:
        return {}
    found: dict[str, float] = read_json(Path(rates_from))[whose]
    return found


def search_failed(rates_from: str | None) -> Failure | None:
    """Why a search found no rate; None where it did, or none was searched."""
    return read_failure(Path(rates_from).with_suffix("")) if rates_from else None
