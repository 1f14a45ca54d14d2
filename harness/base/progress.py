"""Progress that a person can watch: a bar on a terminal, now and then a line in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tqdm import tqdm

EVERY = 60.0  # seconds between two lines of a log, and before the first


class Lines:
    """Progress where there is no terminal: a line now and then, none of what takes a moment."""

    def __init__(self, total: int, what: str) -> None:
        self.total, self.what = total, what
        self.done, self.loss = 0, ""
        self.begin = self.said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """What was being done is over; whoever asked for it says how it ended."""

    def update(self, steps: int) -> None:
        """Count steps that are done."""
        self.done += steps
        now = time.monotonic()
        if now >= self.said + EVERY:
            self.said, spent = now, now - self.begin
            left = about_left(spent, self.done, self.total)
            say(f"{self.what}: {self.done} of {self.total} steps{self.loss} ({spent:.0f} s, {left})")

    def set_postfix_str(self, text: str) -> None:
        """What the next line says beside."""
        self.loss = f", {text}"


def bar(total: int, what: str) -> tqdm | Lines:  # type: ignore[type-arg]
    """A progress bar on a terminal; elsewhere a line a minute."""
    if not sys.stderr.isatty():
        return Lines(total, what)
    return tqdm(total=total, desc=what, unit="step", leave=False)


def watcher(progress: tqdm | Lines) -> Callable[[int, float], None]:  # type: ignore[type-arg]
    """A training loop's `watch` that moves a bar and shows the loss."""

    def watch(step: int, loss: float) -> None:
        if step % 10 == 0:
            progress.set_postfix_str(f"loss {loss:.3f}")
        progress.update(1)

    return watch


def about_left(spent: float, done: int, total: int) -> str:
    """What is left of so many, at the pace of the seconds that were spent on those that are done."""
    return f"about {spent / done * (total - done):.0f} s left"


def say(text: str) -> None:
    """A line for the person or the log, at once; a log that takes no more, on a full disk, ends nothing."""
    with suppress(OSError):
        tqdm.write(text, file=sys.stderr)
        sys.stderr.flush()
