"""CSV files: the same numbers give the same bytes."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.base.files import write_text

ALL = "all"  # the budget's name in rows that are means over the budgets
Row = dict[str, object]


def value_of(row: Mapping[str, object], name: str) -> float | None:
    """A number of a board's row; None where it is unknown."""
    return None if row[name] is None else float(str(row[name]))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows as CSV; what is unknown is empty, floats have six significant digits."""
    write_text(path, csv_text(columns, rows))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_shown(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _shown(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
