"""Records as one line of text: attributes with their values, triples, or the rows of a table.

    attributes   name : Lumo | colour : red
    triples      Lumo : made by : Ostrava | Ostrava : country : Poland
    a table      team : Reds | points : 12 || team : Blues | points : 9

as Li and Liang (2021) and Hu et al. (2022) write them. What is a text already stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.data.rows import LINE_END, RowFault, list_of, prose_of, text_of

OF, NEXT, ROW = " : ", " | ", " || "  # between a name and its value, two of these, and two rows of a table
TRIPLE = 3


def linearised(field: str, value: Any) -> str:
    """A record on one line; raises RowFault where it is none, naming the part that is not.

    A mapping holds attributes; of a list the items are triples, or mappings: the rows of a table. An attribute without
    a value (null) is left out.
    """
    if isinstance(value, Mapping):
        return _attributes(field, value, None)
    if isinstance(value, str) or value is None or not isinstance(value, Sequence):
        return prose_of(field, value)
    items = list_of(field, value)
    if all(isinstance(item, Mapping) for item in items):
        return ROW.join(_attributes(field, item, place) for place, item in enumerate(items))
    return NEXT.join(triple(field, item, place) for place, item in enumerate(items))


def triple(field: str, value: Any, place: int) -> str:
    """A subject, a relation and an object, as `subject : relation : object`."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != TRIPLE:
        raise RowFault(field, value, "it is no triple; write [subject, relation, object]", place)
    return OF.join(_word(field, part, place) for part in value)


def _attributes(field: str, value: Mapping[Any, Any], place: int | None) -> str:
    held = {name: its for name, its in value.items() if its is not None}
    if not held:
        raise RowFault(field, value, "it holds no value; fill it or leave it out", place)
    return NEXT.join(_word(field, name, place) + OF + _word(field, its, place) for name, its in held.items())


def _word(field: str, value: Any, place: int | None) -> str:
    """A name or a value; a number is taken as it is written."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return LINE_END.sub(" ", text_of(field, value, place))
