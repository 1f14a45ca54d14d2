"""Readers of local and hub files that refuse a bad line by its number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.base.errors import bad, reason
from harness.contracts.task import HubSet

Row = dict[str, Any]


def text_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file; raises UserError where it is missing, empty, cut or not UTF-8."""
    if not path.is_file():
        raise bad(path, "the data file", path.name, "it does not exist; put it there or set HEADSTART_DATA to another")
    content = path.read_bytes()
    if not content.strip():
        raise bad(f"{path}: line 1", "the file", content[:20], "it is empty; fetch it again")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        odd = content[error.start : error.end]
        raise bad(f"{path}: line {line}", "the text", odd, "it is not UTF-8; convert or fetch the file again") from None
    # Only \n ends a line: other separators may stand inside an example.
    lines = text.split("\n")
    if last := lines.pop():
        # What a broken download leaves; half an example would pass for a whole one.
        mend = "it has no line end, so the file may be cut; fetch it again, or end it with one"
        raise bad(f"{path}: line {len(lines) + 1}", "the last line", last, mend)
    return lines


def documents(path: Path) -> list[str]:
    """One document a line; raises UserError naming an empty line."""
    lines = text_lines(path)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise bad(f"{path}: line {number}", "the document", line, "it is empty; write one document a line")
    return [line.strip() for line in lines]


def paired(sources: Path, targets: Path) -> list[tuple[str, str]]:
    """Lines of two files side by side; raises UserError where one file is longer."""
    left, right = documents(sources), documents(targets)
    if len(left) != len(right):
        shorter, longer = (targets, sources) if len(right) < len(left) else (sources, targets)
        number = min(len(left), len(right)) + 1
        mend = f"{longer.name} has {max(len(left), len(right))} lines; fetch both again"
        raise bad(f"{shorter}: line {number}", "the number of lines", number - 1, mend)
    return list(zip(left, right, strict=True))


def hub_rows(hub: HubSet, split: str, read: Callable[[Row], Row]) -> list[Row]:
    """The examples of a hub data set's split at its pinned revision; HF_HUB_OFFLINE is respected."""
    from datasets import load_dataset  # two seconds to import, and only hub sources need it

    where = f"hub data set {hub.id}"
    try:
        loaded = load_dataset(hub.id, hub.configuration, split=split, revision=hub.revision)
    except Exception as error:  # each kind of file and each kind of outage has an error of its own
        raise bad(where, "split", split, f"it cannot be loaded ({reason(error)}); mend `sets` or use `local`") from None
    for theirs in hub.columns.values():
        if theirs not in loaded.column_names:
            raise bad(where, "a column", theirs, f"it is not there; use one of {', '.join(loaded.column_names)}")
    rows = []
    for number, row in enumerate(loaded):
        its = {ours: row[theirs] for ours, theirs in hub.columns.items()}
        try:
            example = read(its)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise bad(f"{where}: {split} row {number}", "the row", its, f"it is unreadable ({reason(error)})") from None
        if not all(example.values()):
            raise bad(f"{where}: {split} row {number}", "the row", its, "a field is empty; choose another data set")
        rows.append(example)
    return rows
