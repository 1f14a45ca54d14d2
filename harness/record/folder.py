"""A folder of results as it stands on disk, this run's or another's: its records and what was made of them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.base.errors import UserError
from harness.record.read import in_frame
from harness.record.schema import RECORDS

# What runs are compared by; a column that came later, or went, leaves an older run comparable.
NEEDED = (
    "task", "method", "domain", "budget", "seed", "source", "model", "status", "metric", "score", "n", "primary",
    "statistics", "error", "provenance",
)  # fmt: skip


@dataclass(frozen=True)
class RunFolder:
    """A folder with records."""

    folder: Path
    records: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> RunFolder:
        """Read a folder's records. Raises UserError where it has none, or they are not ours."""
        return cls(folder, in_frame(read_table(folder)))

    def rows_of(self, file: Path) -> list[dict[str, str]]:
        """The rows of a CSV file of the folder."""
        with file.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    @property
    def boards(self) -> list[Path]:
        """The leaderboards' files, one a task."""
        return [file for file in sorted(self.folder.glob("leaderboard/*.csv")) if file.name != "overall.csv"]

    @property
    def answers(self) -> list[Path]:
        """The files with answers to claims, one a paper."""
        return sorted(self.folder.glob("papers/*/claims.csv"))


def read_table(folder: Path) -> pa.Table:
    """The records of a folder. Raises UserError where it has none, or they are not ours."""
    file = folder / RECORDS
    if not file.is_file():
        raise UserError(f"{file}: there are no records; name a folder that a run has filled, as results")
    try:
        found = pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{file}: it cannot be read as parquet ({error}); collect it again with Snakemake") from error
    if lacking := [name for name in NEEDED if name not in found.column_names]:
        mend = "it is of another version of the program; collect it again with Snakemake"
        raise UserError(f"{file}: it has no column {lacking[0]!r}; {mend}")
    return found
