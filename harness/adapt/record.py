"""A cell's record: identity, status, costs, provenance. Scores stand in a file beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from harness.base.files import read_json, write_json, write_lines
from harness.base.memory import nothing_collected
from harness.base.provenance import provenance
from harness.contracts.plan import Cell

Status = Literal["done", "error", "out_of_memory", "diverged", "unsupported", "timeout"]
FAILURES: tuple[Status, ...] = ("error", "out_of_memory", "diverged", "unsupported", "timeout")
RECORD, PREDICTIONS, SCORES = "record.json", "predictions.jsonl", "scores.json"
PIECE = 1 << 16  # bytes that are read at once
FAILED = "failed.json"  # what failed in a folder, how, and the end of its traceback


def write_done(folder: Path, identity: dict[str, Any], rows: list[dict[str, Any]], costs: dict[str, Any]) -> None:
    """Write a finished cell: its predictions first, then the record that says they stand."""
    write_lines(folder / PREDICTIONS, rows)
    write_json(folder / RECORD, identity | {"status": "done", "costs": costs, "provenance": provenance()})


def along_file(folder: Path, point: int) -> Path:
    """Where a cell's predictions at a point of its training are."""
    return folder / f"along-{point}.jsonl"


def write_along(folder: Path, rows: Mapping[int, list[dict[str, Any]]]) -> None:
    """Write a cell's predictions at points of its training, before the record that names them."""
    for point, its in rows.items():
        write_lines(along_file(folder, point), its)


def write_failed(folder: Path, identity: dict[str, Any], status: Status, error: str) -> None:
    """Write a failed cell: a status and the end of the error, and no score."""
    end = {"status": status, "error": error, "costs": {}, "provenance": provenance()}
    write_json(folder / RECORD, identity | end)


def read_record(folder: Path | str, fingerprint: str) -> dict[str, Any] | None:
    """The record in `folder` if it is of this very cell, else None; that of a failed cell where scoring failed."""
    try:  # to look first whether it stands would take as long again
        record: dict[str, Any] = json.loads(_read(f"{folder}/{RECORD}"))
    except FileNotFoundError:
        return None
    if record.get("fingerprint") != fingerprint:
        return None
    if os.access(failed := f"{folder}/{FAILED}", os.F_OK):
        failure = read_json(Path(failed))
        record |= {"failed_in": failure["what"], "status": failure["status"], "error": failure["error"]}
    return record


def _read(file: str) -> str:
    """A small file's text. A run has a hundred thousand, and Python's own files cost more than reading them."""
    stream = os.open(file, os.O_RDONLY)
    try:
        pieces = [os.read(stream, PIECE)]
        while len(pieces[-1]) == PIECE:
            pieces.append(os.read(stream, PIECE))
    finally:
        os.close(stream)
    return b"".join(pieces).decode()


def read_standing(cells: Iterable[Cell]) -> dict[str, dict[str, Any]]:
    """The records that stand of some cells, by the cell's folder. Folders are seen by listing what they are in."""
    listed: dict[str, set[str]] = {}
    found = {}
    with nothing_collected():
        for cell in cells:
            parent, _, name = cell.folder.rpartition("/")
            if parent not in listed:
                listed[parent] = set(os.listdir(parent)) if os.path.isdir(parent) else set()
            if name in listed[parent] and (record := read_record(cell.folder, cell.fingerprint)) is not None:
                found[cell.folder] = record
    return found


def forget(folder: Path) -> None:
    """Remove a cell's files, so that the next run computes it again."""
    along = [file.name for file in folder.glob("along-*.jsonl")]
    for name in (RECORD, PREDICTIONS, SCORES, FAILED, *along):
        if (folder / name).exists():
            os.unlink(folder / name)
