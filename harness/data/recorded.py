"""Public sets of records in the layouts that their users have: E2E's lines, WebNLG's and DART's JSON.

Each gives rows with a `record` and `references`; raises UserError naming the file, the line and what is wrong there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.base.errors import bad, reason
from harness.contracts.reader import Recorded
from harness.data.files import documents, text_lines
from harness.data.records import NEXT, OF
from harness.data.rows import Row, visible

TEXT = "||"  # between a record and its text in E2E's lines
GOOD = "good"  # how WebNLG marks a wording that needs no mending
ENTRIES = re.compile(r'\s*\{\s*"entries"\s*:\s*')


def recorded(reader: Recorded, files: Sequence[Path], fields: Sequence[str]) -> Iterator[Row]:
    """The rows of a file; text without records is a text a line."""
    if "record" in fields:
        yield from LAYOUTS[reader.format](files[0])
        return
    for number, text in enumerate(documents(files[0], "text"), 1):
        yield Row(f"{files[0]}: line {number}", {"text": text})


def e2e(file: Path) -> Iterator[Row]:
    """`name : A | area : B||text` a line, as Li and Liang (2021) and Hu et al. (2022) have E2E's files."""
    for number, line in enumerate(text_lines(file, may_end_open=True), 1):
        where = f"{file}: line {number}"
        record, sign, text = line.partition(TEXT)
        if not sign:
            mend = f"no {TEXT} parts the record from its text; write `name : value | name : value{TEXT}text`"
            raise bad(where, "the line", line, mend)
        for attribute in record.strip().split(NEXT):
            name, between, value = attribute.partition(OF)
            if not between or not visible(name) or not visible(value):
                mend = f"it is no attribute with its value; write `name{OF}value`, and {NEXT.strip()!r} between two"
                raise bad(where, "the record", attribute, mend)
        yield Row(where, {"record": record.strip(), "references": [text]})


def webnlg(file: Path) -> Iterator[Row]:
    """WebNLG 2017: `{"entries": [{id: {modifiedtripleset, lexicalisations}}]}`.

    Underscores of names are spaces. A wording that is not marked as good is left out, and a record with none too.
    """
    for where, entry in _entries(file, ENTRIES, '{"entries": [...]}'):
        if len(entry) != 1:
            raise bad(where, "the entry", sorted(entry)[:3], 'it is not under its number alone; write {"1": {...}}')
        ((number, its),) = entry.items()
        where = f"{where}, entry {number}"
        triples = [
            [_field(where, triple, part) for part in ("subject", "property", "object")]
            for triple in _list(where, its, "modifiedtripleset")
        ]
        wordings = _list(where, its, "lexicalisations")
        texts = [_field(where, text, "lex") for text in wordings if _field(where, text, "comment") == GOOD]
        if texts:
            yield Row(where, {"record": _spaced(triples), "references": texts})


def dart(file: Path) -> Iterator[Row]:
    """DART 1.1.1: `[{tripleset: [[subject, relation, object]], annotations: [{text}]}]`. Underscores are spaces."""
    for where, entry in _entries(file, re.compile(r"\s*"), "[...]"):
        texts = [_field(where, its, "text") for its in _list(where, entry, "annotations")]
        yield Row(where, {"record": _spaced(_list(where, entry, "tripleset")), "references": texts})


LAYOUTS: dict[str, Callable[[Path], Iterator[Row]]] = {"e2e": e2e, "webnlg": webnlg, "dart": dart}


def _entries(file: Path, begin: re.Pattern[str], form: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSON file's list, which begins behind `begin`, each with the line on which it stands."""
    text = "\n".join(text_lines(file, may_end_open=True))
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        mend = f"it is no JSON ({reason(error)}); fetch the file again"
        raise bad(f"{file}: line {line}", "the line", text.split("\n")[line - 1], mend) from None
    found = begin.match(text)
    place = found.end() if found else len(text)
    if text[place : place + 1] != "[":
        raise bad(f"{file}: line 1", "the file", text[:40], f"it is not of this layout; write {form}")
    space, decoder = re.compile(r"[\s,]*"), json.JSONDecoder()
    line, counted = 1, 0
    place += 1
    while text[(place := space.match(text, place).end())] != "]":  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, place), place
        entry, place = decoder.raw_decode(text, place)
        where = f"{file}: line {line}"
        if not isinstance(entry, dict):
            raise bad(where, "the entry", entry, "it is no object; write {name: value}")
        yield where, entry


def _field(where: str, entry: Any, name: str) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        raise bad(where, "the entry", entry, f"it has no {name!r}; add it, or fetch the file again")
    return entry[name]


def _list(where: str, entry: Any, name: str) -> list[Any]:
    found = _field(where, entry, name)
    if not isinstance(found, list) or not found:
        raise bad(where, name, found, "it is no list, or an empty one; fill it or remove the entry")
    return found


def published(record: Any) -> Any:
    """A record of a row of the hub in a form of ours: names with spaces for underscores, as in files.

    Triples are DART's lists, or WebNLG's texts `subject | relation | object` in the first of several sets of them. What
    is a text, as E2E's records are, stays as it is.
    """
    if not isinstance(record, list):
        return record
    first = record[0] if record else None
    if isinstance(first, list) and first and all(isinstance(its, str) and NEXT in its for its in first):
        record = [its.split(NEXT) for its in first]
    return _spaced(record)


def _spaced(triples: list[Any]) -> list[Any]:
    """Triples with spaces for underscores; what is no text is left for the kind to refuse."""
    return [
        [part.replace("_", " ") if isinstance(part, str) else part for part in triple]
        if isinstance(triple, list)
        else triple
        for triple in triples
    ]
