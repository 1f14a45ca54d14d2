"""Where in a YAML file a field stands, for the sentences that refuse it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml


class Layers:
    """The files that a configuration is put together from, the first first, and the changes of the command line.

    Each is a place with what is written there, which later ones change.
    """

    def __init__(self, files: Sequence[tuple[str, Any]], changes: Sequence[tuple[str, Any]] = ()) -> None:
        self.files, self.changes = list(files), list(changes)

    def of(self, field: str) -> str:
        """The last place that says `field`, else the last file of those that say most of it."""
        for place, content in reversed(self.changes):
            if not _unsaid(content, field):
                return place
        return min(reversed(self.files), key=lambda file: _unsaid(file[1], field))[0]


Where = Path | str | Layers


def place_of(where: Where, field: str, value: object) -> str:
    """The file that says `field`, with the line where it stands, or where as much of it stands as there is."""
    file = where.of(field) if isinstance(where, Layers) else str(where)
    if not file.endswith((".yaml", ".yml")):
        return file
    line = _line_of(Path(file), field, value)
    return f"{file}: line {line}" if line else file


def _unsaid(content: Any, field: str) -> int:
    """How many letters of `field` are left when its keys and numbers have been followed into `content`."""
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, Mapping):
        parts = content.items()
    elif isinstance(content, list):
        parts = enumerate(content)
    inner = [_unsaid(value, rest) for name, value in parts if (rest := _after(field, str(name))) is not None]
    return min(inner, default=len(field))


def _line_of(file: Path, field: str, value: object) -> int | None:
    """The line of a field; of the key or item `value` where it is one of those that stand in the field."""
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    begin: yaml.Node | None = None
    rest = field
    while rest and (step := _step(node, rest)):
        begin, node, rest = step
    if isinstance(value, (str, int)) and (not rest or begin is None):
        # A field in words, as `a slot`, has no place of its own: then the value itself is looked for everywhere.
        told = next((inner for inner in _inside(node, everywhere=begin is None) if inner.value == str(value)), None)
        begin = told or begin
    return begin.start_mark.line + 1 if begin else None


def _step(node: Any, field: str) -> tuple[yaml.Node, yaml.Node, str] | None:
    """The node at which the first part of `field` begins, the node that it leads to, and the rest of the field."""
    found = []
    for name, begin, inner in _parts(node):
        rest = _after(field, name)
        if rest is not None:
            found.append((len(name), begin, inner, rest))
    if not found:
        return None
    _, begin, inner, rest = max(found, key=lambda one: one[0])
    return begin, inner, rest


def _parts(node: Any) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """The names of what stands in a node: keys, those that are merged in last, or numbers."""
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield str(number), item, item
    elif isinstance(node, yaml.MappingNode):
        merges: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                merges += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif isinstance(key, yaml.ScalarNode):
                yield key.value, key, value
        for merged in merges:
            yield from _parts(merged)


def _inside(node: Any, everywhere: bool) -> Iterator[yaml.ScalarNode]:
    """The scalar keys and items that stand in a node, and where asked for, those in them too."""
    for _, begin, inner in _parts(node):
        for one in (begin, inner) if everywhere else (begin,):
            if isinstance(one, yaml.ScalarNode):
                yield one
        if everywhere and not isinstance(inner, yaml.ScalarNode):
            yield from _inside(inner, everywhere)


def _after(field: str, name: str) -> str | None:
    """What follows `name` in a field that begins with it; None where it does not."""
    if field == name:
        return ""
    if field.startswith((f"{name}.", f"{name}: ")):
        return field[len(name) + 1 :].lstrip()
    return None
