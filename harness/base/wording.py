"""Words that depend on a number."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, word: str) -> str:
    """A number with the word for what it counts."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def seeds_in_words(seeds: Sequence[int]) -> str:
    """Seeds in rising order: seed 0, seeds 1 and 2, seeds 1 to 9."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seeds {' and '.join(map(str, seeds))}"
