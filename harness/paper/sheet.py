"""The one model of a paper's table; every writer reads it, so that they cannot differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["number", "empty", "no counterpart", "not run", "hole", "words"]
Whose = Literal["paper", "ours", "difference"]


@dataclass(frozen=True)
class Entry:
    """One place of a table: a number, words, or why there is none."""

    text: str
    kind: Kind = "number"
    value: float | None = None
    low: float | None = None
    high: float | None = None
    mark: str = ""
    why: str = ""

    @property
    def shown(self) -> str:
        """What stands in the place, with its mark."""
        return f"{self.text}{self.mark}"


EMPTY = Entry("", "empty")


@dataclass(frozen=True)
class Line:
    """One line: whose numbers of which row of the paper."""

    row: str
    whose: Whose
    name: str
    entries: list[Entry]
    group: str = ""
    heads: bool = True  # the first line of its row, which names it


@dataclass(frozen=True)
class Sheet:
    """A table of a paper with ours beside it."""

    name: str
    title: str
    columns: list[str]
    lines: list[Line]
    notes: list[str] = field(default_factory=list)

    def grouped(self) -> Iterator[tuple[str, list[Line]]]:
        """The lines by the groups that follow each other; a group without a name has no heading."""
        block: list[Line] = []
        for line in self.lines:
            if block and line.group != block[0].group:
                yield block[0].group, block
                block = []
            block.append(line)
        if block:
            yield block[0].group, block


HEAD = ("row", "whose")
