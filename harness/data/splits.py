"""Few-shot splits: nested, and the same for every method."""

from __future__ import annotations

from harness.base.seeds import generator
from harness.data.task import Example


def few(train: list[Example], budget: int, task: str, domain: str, seed: int) -> list[Example]:
    """The `budget` training examples of a cell; those of a smaller budget are among them."""
    places = list(range(len(train)))
    generator("split", task, domain, seed).shuffle(places)
    return [train[place] for place in places[:budget]]


HELD = 4  # of as many examples one is held out


def held_out(examples: list[Example]) -> tuple[list[Example], list[Example]]:
    """A budget's examples to learn from, and a quarter of them to look at, at least one."""
    count = max(1, len(examples) // HELD)
    return examples[:-count], examples[-count:]
