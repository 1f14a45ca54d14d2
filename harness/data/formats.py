"""Readers of local files, one a format: the rows of a split, each with its place.

Each is given the split's files and the fields that are wanted, and raises UserError naming the file, the line and
the value at fault.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.base.errors import bad, reason
from harness.contracts.model import one_of
from harness.contracts.reader import Conll, JsonLines, Lines, Parquet, Reader, Recorded, Table
from harness.data.conll import sentences
from harness.data.files import existing, side_by_side, text_lines
from harness.data.recorded import recorded
from harness.data.rows import Row


def conll(reader: Conll, files: Sequence[Path], fields: Sequence[str]) -> Iterator[Row]:
    """A row a sentence."""
    return sentences(files[0], reader, labelled="tags" in fields)


def lines(reader: Lines, files: Sequence[Path], fields: Sequence[str]) -> Iterator[Row]:
    """A row a line, each field from a file of its own."""
    for number, values in enumerate(side_by_side(dict(zip(fields, files, strict=True))), 1):
        yield Row(f"{files[0]}: line {number}", dict(values))


def json_lines(reader: JsonLines, files: Sequence[Path], fields: Sequence[str]) -> Iterator[Row]:
    """A row a JSON object; blank lines are passed over."""
    theirs = {field: reader.columns.get(field, field) for field in fields}
    for number, line in enumerate(text_lines(files[0], may_end_open=True), 1):
        if not line.strip():
            continue
        where = f"{files[0]}: line {number}"
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            mend = f"it is no JSON ({reason(error)}); write one object a line"
            raise bad(where, "the line", line, mend) from None
        if not isinstance(found, dict):
            raise bad(where, "the line", line, "it is no JSON object; write one a line, {column: value}")
        for name in theirs.values():
            if name not in found:
                one_of(name, list(found), where, "a column")
        yield Row(where, {field: found[name] for field, name in theirs.items()}, _called(theirs))


def table(reader: Table, files: Sequence[Path], fields: Sequence[str]) -> Iterator[Row]:
    """A row a record of a CSV or TSV file; blank lines are passed over."""
    records = _records(reader, files[0])
    first_line, first = next(records)
    theirs = {field: reader.columns.get(field, field) for field in fields}
    places = _places(f"{files[0]}: line {first_line}", first, theirs)
    if not reader.header:
        records = _records(reader, files[0])
    for number, record in records:
        where = f"{files[0]}: line {number}"
        if len(record) != len(first):
            mend = f"it has {len(record)} fields and line {first_line} has {len(first)}; mend it, or set `quoting`"
            raise bad(where, "the record", record, mend)
        yield Row(where, {field: record[place] for field, place in places.items()}, _called(theirs))


def _records(reader: Table, file: Path) -> Iterator[tuple[int, list[str]]]:
    """The records of a file that are not blank, each with the line on which it begins."""
    separator = reader.separator or {"csv": ",", "tsv": "\t"}[reader.format]
    quoting: Any = {"minimal": csv.QUOTE_MINIMAL, "none": csv.QUOTE_NONE}[reader.quoting]
    csv.field_size_limit(sys.maxsize)  # a document may be longer than the module's own limit
    text = "\n".join(text_lines(file, reader.open_end)) + "\n"
    records = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting, strict=True)
    while True:
        number = records.line_num + 1
        try:
            record = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            mend = f"it cannot be read ({reason(error)}); mend it, or write `quoting: none` if quotation marks are text"
            raise bad(f"{file}: line {number}", "the record", text.split("\n")[number - 1], mend) from None
        if record:
            yield number, record


def _places(where: str, first: list[str], theirs: Mapping[str, str | int]) -> dict[str, int]:
    """The place of each field in a record; raises UserError where the first one lacks it."""
    places = {}
    for field, column in theirs.items():
        if isinstance(column, int):
            if column >= len(first):
                raise bad(where, "a column", column, f"the line has {len(first)} fields, counted from 0; name another")
            places[field] = column
            continue
        one_of(column, first, where, "a column")
        if first.count(column) > 1:
            raise bad(where, "a column", column, "it stands twice in the header; rename one")
        places[field] = first.index(column)
    return places


def parquet(reader: Parquet, files: Sequence[Path], fields: Sequence[str]) -> Iterator[Row]:
    """A row a row, counted from 0 as other readers of the format do."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    theirs = {field: reader.columns.get(field, field) for field in fields}
    try:
        with ParquetFile(existing(files[0])) as opened:
            for name in theirs.values():
                one_of(name, opened.schema_arrow.names, files[0], "a column")
            found: list[dict[str, Any]] = opened.read(columns=list(theirs.values())).to_pylist()
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        mend = f"it is no Parquet file or a broken one ({reason(error)}); fetch it again"
        raise bad(files[0], "the data file", files[0].name, mend) from None
    for number, row in enumerate(found):
        yield Row(f"{files[0]}: row {number}", {field: row[name] for field, name in theirs.items()}, _called(theirs))


def _called(theirs: Mapping[str, str | int]) -> dict[str, str]:
    """How a sentence calls each field: by the file's own name for it."""
    return {field: f"column {name!r}" for field, name in theirs.items()}


FORMATS: dict[type[Reader], Callable[..., Iterator[Row]]] = {
    Conll: conll,
    Lines: lines,
    JsonLines: json_lines,
    Table: table,
    Parquet: parquet,
    Recorded: recorded,
}
