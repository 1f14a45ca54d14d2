"""Progress that a person can watch and a log file stays free of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

from tqdm import tqdm


def bar(total: int, what: str) -> tqdm:  # type: ignore[type-arg]
    """A progress bar on a terminal; silence elsewhere."""
    return tqdm(total=total, desc=what, unit="step", leave=False, disable=not sys.stderr.isatty())


def watcher(progress: tqdm) -> Callable[[int, float], None]:  # type: ignore[type-arg]
    """A training loop's `watch` that moves a bar and shows the loss."""

    def watch(step: int, loss: float) -> None:
        progress.update(1)
        if step % 10 == 0:
            progress.set_postfix_str(f"loss {loss:.3f}")

    return watch


def say(text: str) -> None:
    """A line for the person or the log, at once; a log that takes no more, on a full disk, ends nothing."""
    with suppress(OSError):
        tqdm.write(text, file=sys.stderr)
        sys.stderr.flush()
