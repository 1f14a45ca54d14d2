"""Schemes of entity tags, read into the one that the harness has: IOB2 of the task's own types.

`iob2`   an entity begins with B- and goes on with I-
`iob1`   it begins with I-, or with B- right after another of its type; IOB2 in which a B- was lost reads so too
`bioes`  B- begins, I- goes on, E- ends, S- is a whole entity
`bilou`  the same with L- for E- and U- for S-
`io`     a tag is O or a type alone; neighbours of one type are one entity
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.contracts.reader import Scheme, Tagging
from harness.data.rows import RowFault, text_of

# What a tag of each scheme may begin with, and what that means in the letters of BIOES.
SIDES: dict[Scheme, dict[str, str]] = {
    "iob2": {"B": "B", "I": "I"},
    "iob1": {"B": "B", "I": "I"},
    "bioes": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "bilou": {"B": "B", "I": "I", "L": "E", "U": "S"},
    "io": {},
}
LOOSE: tuple[Scheme, ...] = ("iob1", "io")  # in these any order of tags has a meaning


class Tag(NamedTuple):
    """A tag that is not O: where in an entity it stands (B, I, E or S), and the entity's type in the file's words."""

    side: str
    type: str


def iob2(tags: Sequence[Any], tagging: Tagging, types: Sequence[str]) -> list[str]:
    """Tags in IOB2 of `types`; raises RowFault with the place of the first that cannot be read."""
    written = [_written(place, tag, tagging) for place, tag in enumerate(tags)]
    parsed = [_parsed(place, tag, tagging.scheme, types) for place, tag in enumerate(written)]
    read = []
    for place, (tag, before, after) in enumerate(zip(parsed, [None, *parsed], [*parsed[1:], None], strict=False)):
        if tag is None:
            read.append("O")
            continue
        if mend := _misplaced(tagging.scheme, tag, before, after):
            raise RowFault("tags", written[place], mend, place)
        if (ours := tagging.types.get(tag.type, tag.type)) is None:
            read.append("O")
        elif ours in types:
            read.append(f"{'B' if _begins(tagging.scheme, tag, before) else 'I'}-{ours}")
        else:
            mend = f"use one of the types {', '.join(types)}, or say under `types` which of them {tag.type} is"
            raise RowFault("tags", written[place], mend, place)
    return read


def is_tag(text: str, scheme: Scheme) -> bool:
    """Whether a text can be a tag of the scheme, whatever its type."""
    side, dash, name = text.partition("-")
    return text == "O" or scheme == "io" or bool(side in SIDES[scheme] and dash and name)


def _written(place: int, tag: Any, tagging: Tagging) -> str:
    """The tag as a text: what a number stands for where there are `names`."""
    number = int(tag) if isinstance(tag, str) and tag.isascii() and tag.isdigit() else tag
    if not isinstance(number, int) or isinstance(number, bool):
        return text_of("tags", tag, place)
    if tagging.names is None:
        raise RowFault("tags", tag, "it is a number; list under `names` what each number stands for", place)
    if not 0 <= number < len(tagging.names):
        raise RowFault("tags", tag, f"`names` has {len(tagging.names)} tags, counted from 0; add what it lacks", place)
    return tagging.names[number]


def _parsed(place: int, text: str, scheme: Scheme, types: Sequence[str]) -> Tag | None:
    """A tag's side and type, None for O; raises RowFault naming the scheme that the tag seems to be of."""
    if text == "O":
        return None
    if scheme == "io":
        return Tag("I", text)
    side, _, name = text.partition("-")
    if is_tag(text, scheme):
        return Tag(SIDES[scheme][side], name)
    others: list[Scheme] = [other for other in SIDES if other != "io" and is_tag(text, other)]
    if "-" not in text and text in types:
        others = ["io"]
    if others:
        mend = f"it is of the scheme {others[0]} and is read as {scheme}; write `scheme: {others[0]}`, or convert it"
    else:
        known = ["O", *(f"{letter}-{name}" for name in types for letter in SIDES[scheme])]
        mend = f"use one of {', '.join(known)}"
    raise RowFault("tags", text, mend, place)


def _misplaced(scheme: Scheme, tag: Tag, before: Tag | None, after: Tag | None) -> str | None:
    """The mend where a tag's neighbours do not allow it."""
    if scheme in LOOSE:
        return None
    if tag.side in "IE" and not (before and before.type == tag.type and before.side in "BI"):
        mend = f"no {tag.type} begins before it, as {scheme} asks; mend the tag"
        return mend + (", or write `scheme: iob1`, in which I- may begin one" if scheme == "iob2" else "")
    closed = after and after.type == tag.type and after.side in "IE"
    if "E" in SIDES[scheme].values() and tag.side in "BI" and not closed:
        return f"no {tag.type} ends after it, as {scheme} asks; mend the tag"
    return None


def _begins(scheme: Scheme, tag: Tag, before: Tag | None) -> bool:
    """Whether an entity begins here."""
    if scheme in LOOSE:
        return tag.side == "B" or before is None or before.type != tag.type
    return tag.side in "BS"
