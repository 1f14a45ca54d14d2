"""What of a run's output must not depend on what befell it: all but times, memory, paths and provenance."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from harness.base.fingerprint import fingerprint, hash_file

# What is measured while a run is at work, and so differs from run to run.
MEASURED = re.compile(r".*seconds.*|.* s|.*peak_.*|provenance|folder|checkpoint")
KINDS = ("data", "backbones", "prepared", "cells", "blocks", "scores", "tables", "leaderboard", "figures")
# A file that whole_file or whole_folder was writing when its process was killed.
HALF = re.compile(r"\..+-[0-9]+-[0-9a-f]{8}(\.old)?")


def digits(output: Path) -> dict[str, str]:
    """Every value that a run leaves below `output`, a hash each, by the file that holds it."""
    files = [path for kind in KINDS for path in (output / kind).rglob("*")] + [output / "records.parquet"]
    return {str(path.relative_to(output)): _print(path) for path in sorted(files) if path.is_file()}


def moved(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The files that are on one side alone or hold other values there."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def halves(output: Path) -> list[str]:
    """What killed processes left half written."""
    return sorted(str(path.relative_to(output)) for path in output.rglob(".*") if HALF.fullmatch(path.name))


def _print(path: Path) -> str:
    read = READ.get(path.suffix)
    return fingerprint(read(path)) if read else hash_file(path)


def _json(path: Path) -> Any:
    return _lasting(json.loads(path.read_text(encoding="utf-8")))


def _table(path: Path) -> Any:
    table = pd.read_csv(path, dtype=str) if path.suffix == ".csv" else pd.read_parquet(path)
    kept = [name for name in table.columns if not MEASURED.fullmatch(name)]
    return table[kept].astype(str).to_dict("split")


def _markdown(path: Path) -> Any:
    """The lines, those of tables without the columns of what is measured, as `adaptation s`."""
    lines: list[Any] = []
    kept: list[int] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if not line.startswith("|"):
            kept = []
        elif not kept:  # the head of a table
            kept = [place for place, name in enumerate(cells) if not MEASURED.fullmatch(name)]
        lines.append([cells[place] for place in kept if place < len(cells)] if kept else line)
    return lines


READ: dict[str, Callable[[Path], Any]] = {".json": _json, ".csv": _table, ".parquet": _table, ".md": _markdown}


def _lasting(value: Any) -> Any:
    """A JSON value without what is measured, and without the paths to other files of the run."""
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if not MEASURED.fullmatch(key)}
    if isinstance(value, list):
        return [_lasting(inner) for inner in value]
    return re.sub(r"^.*/(?=data/)", "", value) if isinstance(value, str) else value
