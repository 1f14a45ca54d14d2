"""Records from a grammar, and texts that say what stands in them.

The part `records` of a grammar file is a list of kinds of record, each with:

    bind: {name: boat, harbour: town}        drawn once a record, as in a scenario
    fields:                                  how each field stands in the record
      name: "name : {name}"
      harbour: "harbour : {harbour}"
    between: " | "                           what stands between two fields
    layouts: [[name, harbour], ...]          the fields of a record in their order; divided
    sentences:                               what is said of fields that follow one another; not divided
      - {of: [name], frames: ["{name} is a boat.", ...]}
    boxed: true                              optional: unlabeled text shows the record before what is said of it

So a test record has names that no training record has, and a choice of fields that none has; how fields are said is
what there is to learn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.base.errors import bad
from harness.contracts.model import Strict, one_of

if TYPE_CHECKING:
    from harness.data.grammar import Forms, Grammar, Part

REFERENCES = (1, 2, 3)  # how many texts a record has, each number as likely
FEWEST = 4  # layouts, of which each part has one at least
VALUE = re.compile(r"\{(\w+?)(?:\.(\w+))?\}")


class Told(Strict):
    """What a sentence says, and how."""

    of: Annotated[list[str], Field(min_length=1)]
    frames: Annotated[list[str], Field(min_length=1)]


class Records(Strict):
    """One kind of record, and the sentences that tell of it."""

    bind: dict[str, str]
    fields: dict[str, str]
    between: str = " | "
    layouts: list[list[str]]
    sentences: list[Told]
    boxed: bool = False

    def check_layouts(self, where: Path | str) -> None:
        """Raise UserError where a layout stands twice, or has fields that no sentences tell of in their order."""
        if len(self.layouts) < FEWEST:
            raise bad(where, "layouts", self.layouts, f"give at least {FEWEST} alternatives")
        for place, layout in enumerate(self.layouts):
            if layout in self.layouts[:place]:
                raise bad(where, "layouts", layout, "it stands twice; remove one")
            for field in layout:
                one_of(field, list(self.fields), where, "layouts")
            if not self.tellings(layout):
                raise bad(where, "layouts", layout, "no sentences tell of these fields in this order; add some")

    def frames(self) -> list[str]:
        """The frames of all sentences."""
        return [frame for told in self.sentences for frame in told.frames]

    def tellings(self, fields: Sequence[str]) -> list[list[Told]]:
        """Every way of telling the fields in their order, each as the sentences that do."""
        if not fields:
            return [[]]
        found = []
        for told in self.sentences:
            if list(fields[: len(told.of)]) == told.of:
                found += [[told, *rest] for rest in self.tellings(fields[len(told.of) :])]
        return found


def record(grammar: Grammar, rng: Random, part: Part) -> tuple[str, list[str]]:
    """A record of `part` on one line, and one to three different texts that say what stands in it."""
    _, line, texts = _told(grammar, rng, part)
    return line, texts


def prose(grammar: Grammar, rng: Random) -> str:
    """Unlabeled text: what is said of a record, in one to three wordings behind one another."""
    kind, line, texts = _told(grammar, rng, "unlabeled")
    return " ".join([line, *texts] if kind.boxed else texts)


def layout_of(kind: Records, grammar: Grammar, rng: Random, part: Part) -> list[str]:
    """The fields of a record of `part`."""
    chosen: list[str] = rng.choice(grammar.of(part, kind.layouts))
    return chosen


def _told(grammar: Grammar, rng: Random, part: Part) -> tuple[Records, str, list[str]]:
    kind = rng.choice(grammar.records)
    bound = grammar.bound(kind.bind, rng, part)
    layout = layout_of(kind, grammar, rng, part)
    line = kind.between.join(_filled(kind.fields[field], bound) for field in layout)
    ways, texts = kind.tellings(layout), dict[str, None]()
    for _ in range(rng.choice(REFERENCES)):
        frames = [rng.choice(told.frames) for told in rng.choice(ways)]
        texts[" ".join(grammar.filled(frame, rng, part, bound) for frame in frames)] = None
    return kind, line, list(texts)


def _filled(text: str, bound: Mapping[str, Forms]) -> str:
    """A field of a record with its values."""
    return VALUE.sub(lambda m: bound[m[1]][m[2] or "base"], text)
