"""Long training that goes on where a kill stopped it, to the same bytes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from harness.base.files import whole_file


class Resume:
    """Keeps the state of a training beside what it will make, now and then; its owner forgets it at the end."""

    def __init__(self, path: Path, seconds: float = 20.0) -> None:
        self.path = path
        self.seconds = seconds
        self.last = time.monotonic()

    def found(self) -> dict[str, Any] | None:
        """What an earlier process kept; None where there is nothing."""
        if not self.path.is_file():
            return None
        state: dict[str, Any] = torch.load(self.path, weights_only=True)
        return state

    def keep(self, **state: Any) -> None:
        """Write the state if the last time is long enough ago."""
        if time.monotonic() - self.last < self.seconds:
            return
        # Through a file of ours: an error of torch's own does not say that the disk is full.
        with whole_file(self.path) as beside, open(beside, "wb") as file:
            torch.save(state, file)
        self.last = time.monotonic()

    def forget(self) -> None:
        """Remove what was kept."""
        self.path.unlink(missing_ok=True)
