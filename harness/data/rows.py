"""Rows as readers give them and what can be wrong with one, whatever the format of its file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.base.errors import UserError, bad

SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can write half a pair; no file can hold it
LINE_END = re.compile(r"\s*[\r\n]\s*")  # an example holds none


class RowFault(Exception):
    """What is wrong with a field of a row, or with one item of it; the reader knows the file and the line."""

    def __init__(self, field: str, value: object, mend: str, item: int | None = None) -> None:
        super().__init__(f"{field} is {value!r}: {mend}")
        self.field, self.value, self.mend, self.item = field, value, mend, item


@dataclass(frozen=True)
class Row:
    """The fields of an example, not yet looked at, and where they stand."""

    where: str  # the file and the line
    values: dict[str, Any]
    called: Mapping[str, str] = field(default_factory=dict)  # what the file calls our fields
    items: list[str] | None = None  # where each item stands, in formats in which it has a line of its own

    def refusal(self, fault: RowFault) -> UserError:
        """The sentence about a fault of this row."""
        called = self.called.get(fault.field, f"the {fault.field}")
        if fault.item is not None and self.items is not None:
            return bad(self.items[fault.item], called, fault.value, fault.mend)
        item = "" if fault.item is None else f", item {fault.item + 1},"
        return bad(self.where, called + item, fault.value, fault.mend)


def visible(text: str) -> bool:
    """Whether a text shows anything: white space, zero-width characters and controls do not."""
    return any(not sign.isspace() and unicodedata.category(sign) not in ("Cc", "Cf") for sign in text)


def text_of(field: str, value: Any, item: int | None = None) -> str:
    """`value` without white space around it; raises RowFault unless it is a text that shows something."""
    if not isinstance(value, str):
        found = "missing" if value is None else f"no text but of type {type(value).__name__}"
        raise RowFault(field, value, f"it is {found}; write a text", item)
    if "\0" in value:
        raise RowFault(field, value, "it holds a NUL character; remove it", item)
    if SURROGATE.search(value):
        raise RowFault(field, value, "it holds half of a surrogate pair; write the character itself", item)
    if not visible(value):
        what = "it holds only invisible characters" if value else "it is empty"
        raise RowFault(field, value, f"{what}; fill it or leave it out", item)
    return value.strip()


def list_of(field: str, value: Any) -> list[Any]:
    """`value` as a list; raises RowFault where it is none or empty."""
    if not isinstance(value, (list, tuple)):
        found = "missing" if value is None else f"no list but of type {type(value).__name__}"
        raise RowFault(field, value, f"it is {found}; write a list")
    if not value:
        raise RowFault(field, value, "it is empty; fill it or leave it out")
    return list(value)


def prose_of(field: str, value: Any) -> str:
    """A text, or a list of sentences, as one text on one line; raises RowFault unless it shows something."""
    if isinstance(value, (list, tuple)):
        value = " ".join(_sentence(field, place, part) for place, part in enumerate(value))
    return LINE_END.sub(" ", text_of(field, value))


def _sentence(field: str, place: int, value: Any) -> str:
    if not isinstance(value, str):
        raise RowFault(field, value, f"it is of type {type(value).__name__}; write a text", place)
    return value.strip()


def numbered(domain: str, split: str, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with an `id` that names where each stands."""
    return [{"id": f"{domain}-{split}-{place}", **row} for place, row in enumerate(rows)]
