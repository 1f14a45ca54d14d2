"""Text files and hub sets, read so that a bad line is refused by its number."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.base.errors import NotHere, bad, reason
from harness.contracts.task import HubSet
from harness.data.rows import RowFault, visible

Row = dict[str, Any]
INSIDE = "."  # in a column's name, before what is meant of the structure that it holds


def text_lines(path: Path, may_end_open: bool = False) -> list[str]:
    """The lines of a UTF-8 text file; raises UserError where it is missing, empty, cut or not UTF-8.

    `\\n` and `\\r\\n` end a line and nothing else does: other separators may stand inside an example. The last line
    has an end too, unless the format shows by itself whether it is whole (`may_end_open`).
    """
    text = _decoded(path)
    if "\n" not in text and "\r" in text:
        mend = "it ends lines with carriage returns alone; convert it to line ends \\n"
        raise bad(f"{path}: line 1", "the line end", "\r", mend)
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    last = lines.pop()
    if last and may_end_open:
        lines.append(last)
    elif last:
        # What a broken download leaves; half an example would pass for a whole one.
        mend = "it has no line end, so the file may be cut; fetch it again, or end it with one"
        raise bad(f"{path}: line {len(lines) + 1}", "the last line", last, mend)
    return lines


def existing(path: Path) -> Path:
    """`path`; raises UserError where there is no such file or it may not be read."""
    if not path.is_file():
        raise bad(path, "the data file", path.name, "it does not exist; put it there or set HEADSTART_DATA to another")
    if not os.access(path, os.R_OK):
        raise bad(path, "the data file", path.name, "it may not be read by this user; change its permissions")
    return path


def _decoded(path: Path) -> str:
    """The text of a UTF-8 file without its byte order mark."""
    content = existing(path).read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise bad(f"{path}: line 1", "the text", content[:8], "it is UTF-16; save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    if not content.strip():
        raise bad(f"{path}: line 1", "the file", content[:20], "it is empty; fetch it again")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        odd, mend = content[error.start : error.end], "it is not UTF-8; convert or fetch the file again"
        raise bad(f"{path}: line {_line_at(content, error.start)}", "the text", odd, mend) from None
    if (place := content.find(b"\0")) >= 0:
        odd = content[max(0, place - 8) : place + 8]
        mend = "it holds a NUL byte, as UTF-16 and binary files do; save it as UTF-8 or fetch it again"
        raise bad(f"{path}: line {_line_at(content, place)}", "the text", odd, mend)
    return text


def _line_at(content: bytes, place: int) -> int:
    return content[:place].count(b"\n") + 1


def documents(path: Path, called: str = "document") -> list[str]:
    """One document a line; raises UserError naming a line that shows nothing."""
    lines = text_lines(path)
    for number, line in enumerate(lines, 1):
        if not visible(line):
            what = "holds only invisible characters" if line else "is empty"
            raise bad(f"{path}: line {number}", f"the {called}", line, f"it {what}; write one {called} a line")
    return [line.strip() for line in lines]


def side_by_side(files: Mapping[str, Path]) -> list[dict[str, str]]:
    """The lines of several files, each under its name; raises UserError where one file is longer than another."""
    columns = {name: documents(path, name) for name, path in files.items()}
    shorter, longer = (choose(columns, key=lambda name: len(columns[name])) for choose in (min, max))
    if (number := len(columns[shorter])) < len(columns[longer]):
        mend = f"{files[longer].name} has {len(columns[longer])} lines; fetch both again"
        raise bad(f"{files[shorter]}: line {number + 1}", "the number of lines", number, mend)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def hub_table(hub: HubSet, split: str) -> Iterable[Row]:
    """The rows of a hub data set's split at its pinned revision, under our names; HF_HUB_OFFLINE is respected."""
    from datasets import load_dataset  # two seconds to import, and only hub sources need it

    where = f"hub data set {hub.id}"
    try:
        loaded = load_dataset(hub.id, hub.configuration, split=split, revision=hub.revision)
    except Exception as error:  # each kind of file and each kind of outage has an error of its own
        told = bad(where, "split", split, f"it cannot be loaded ({reason(error)}); mend `sets` or use `local`")
        raise (NotHere(str(told)) if isinstance(error, ConnectionError) else told) from None
    paths = {ours: theirs.split(INSIDE) for ours, theirs in hub.columns.items()}
    for column, *_ in paths.values():
        if column not in loaded.column_names:
            raise bad(where, "a column", column, f"it is not there; use one of {', '.join(loaded.column_names)}")
    return ({ours: _at(row, path) for ours, path in paths.items()} for row in loaded)


def _at(value: Any, path: Sequence[str]) -> Any:
    """What stands at a path in a row; of a list what stands there in each item. None where nothing does."""
    for place, name in enumerate(path):
        if isinstance(value, list):
            return [_at(item, path[place:]) for item in value]
        value = value.get(name) if isinstance(value, dict) else None
    return value


def hub_rows(hub: HubSet, split: str, read: Callable[[Row], Row]) -> list[Row]:
    """The examples of a hub data set's split, of which each row is one."""
    rows = []
    for number, its in enumerate(hub_table(hub, split)):
        at = f"hub data set {hub.id}: {split} row {number}"
        if any(value in (None, "", []) for value in its.values()):
            raise bad(at, "the row", its, "a field is empty; choose another data set")
        try:
            rows.append(read(its))
        except RowFault as fault:
            raise bad(at, "the row", its, f"it is unreadable ({fault})") from None
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise bad(at, "the row", its, f"it is unreadable ({reason(error)})") from None
    return rows
