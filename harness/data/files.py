"""Readers of local and hub files that refuse a bad line by its number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.contracts.task import Source


def text_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file; raises UserError where it is missing, empty, cut or not UTF-8."""
    if not path.is_file():
        raise UserError(f"{path}: this data file does not exist; put it there or set HEADSTART_DATA")
    content = path.read_bytes()
    if not content.strip():
        raise UserError(f"{path}: line 1: the file is empty; fetch it again")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: line {line}: this is not UTF-8 text; fetch the file again") from None
    # Only \n ends a line: other separators may stand inside an example.
    return text.removesuffix("\n").split("\n")


def documents(path: Path) -> list[str]:
    """One document a line; raises UserError naming an empty line."""
    lines = text_lines(path)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise UserError(f"{path}: line {number} is empty; every line holds one document")
    return [line.strip() for line in lines]


def paired(sources: Path, targets: Path) -> list[tuple[str, str]]:
    """Lines of two files side by side; raises UserError where one file is longer."""
    left, right = documents(sources), documents(targets)
    if len(left) != len(right):
        shorter = targets if len(right) < len(left) else sources
        number = min(len(left), len(right)) + 1
        raise UserError(
            f"{shorter}: line {number} is missing: {len(left)} sources, {len(right)} targets; fetch it again"
        )
    return list(zip(left, right, strict=True))


def hub_rows(source: Source, domain: str, split: str) -> list[dict[str, Any]]:
    """A split of a hub data set at its pinned revision; HF_HUB_OFFLINE is respected."""
    from datasets import load_dataset  # two seconds to import, and only hub sources need it

    try:
        rows = load_dataset(source.id, source.configurations.get(domain, domain), split=split, revision=source.revision)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{source.id}: domain {domain!r} cannot be loaded from the hub ({reason}); use another source"
        ) from None
    return [dict(row) for row in rows]
