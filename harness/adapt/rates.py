"""The rates that a search found for a cell."""

from __future__ import annotations

from pathlib import Path

from harness.adapt.failure import Failure, read_failure
from harness.base.files import read_json
from harness.contracts.plan import Cell


def searched(cell: Cell) -> dict[str, float]:
    """The rates that were searched for a cell; none where others are told."""
    if cell.rates_from is None:
        return {}
    found: dict[str, float] = read_json(Path(cell.rates_from))["train"]
    return found


def search_failed(cell: Cell) -> Failure | None:
    """Why no rate could be found for a cell; None where one was, or none was searched."""
    return read_failure(Path(cell.rates_from).with_suffix("")) if cell.rates_from else None
