"""Few-shot splits: nested, and the same for every method."""

from __future__ import annotations

from harness.base.seeds import generator
from harness.data.task import Example


def few(train: list[Example], budget: int, task: str, domain: str, seed: int) -> list[Example]:
    """The `budget` training examples of a cell; those of a smaller budget are among them."""
    places = list(range(len(train)))
    generator("split", task, domain, seed).shuffle(places)
    return [train[place] for place in places[:budget]]
