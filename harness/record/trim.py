"""The part of a run that others compare theirs with, small enough for a repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.base.errors import UserError, bad
from harness.base.files import whole_folder
from harness.record.folder import read_table
from harness.record.schema import RECORDS

KEPT = (
    "tables/*.csv", "tables/*.md", "leaderboard/*.csv", "leaderboard/*.md", "papers/*/*.csv", "papers/*/*.md",
    "report.html",
)  # fmt: skip
LIMIT = 3_000_000  # bytes of the records

# Texts and reports of single cells, which no table, board or claim reads.
LEFT_OUT = ("dropped", "options", "report", "train", "generation")
LEVEL = 19  # of zstd: it is written once and read often


def make_reference(source: Path, target: Path) -> str:
    """Copy a run's tables, boards, claims and page, with trimmed records; returns what was made, in words.

    Raises UserError where the run has not ended, its records would be too large, or `target` exists.
    """
    if target.exists():
        raise bad("headstart reference", "--to", str(target), "it exists; remove it or name another folder")
    records = trimmed(read_table(source))
    kept = sorted({file for pattern in KEPT for file in source.glob(pattern)})
    if source / "report.html" not in kept:
        raise UserError(f"{source / 'report.html'}: there is none; let Snakemake end the run first")
    with whole_folder(target) as beside:
        for file in kept:
            copy = beside / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        pq.write_table(records, beside / RECORDS, compression="zstd", compression_level=LEVEL)
        size = (beside / RECORDS).stat().st_size
        if size > LIMIT:
            mend = f"a reference may have {LIMIT:,}; make it of fewer tasks, seeds or methods"
            raise bad(source / RECORDS, "the size of the trimmed records", size, mend)
    return f"{target}: {len(kept)} files, and {len(records)} records in {size:,} bytes"


def trimmed(records: pa.Table) -> pa.Table:
    """The records, the same columns and rows, without texts of single cells and statistics that rank nothing."""
    for name in (name for name in LEFT_OUT if name in records.column_names):
        records = _replaced(records, name, pa.nulls(len(records), records.schema.field(name).type))
    nothing = pa.scalar(None, records.schema.field("statistics").type)
    ranking = pc.if_else(records["primary"], records["statistics"], nothing)
    records = _replaced(records, "statistics", _rounded(ranking.combine_chunks()))
    return _replaced(records, "error", _last_lines(records["error"]))


def _rounded(statistics: pa.ListArray) -> pa.ListArray:
    """Statistics to seven digits, in half the bytes: they tell the examples' part of a variance; scores stay whole."""
    examples = statistics.values
    numbers = examples.values.to_numpy(zero_copy_only=False).astype(np.float32).astype(np.float64)
    rounded = pa.ListArray.from_arrays(examples.offsets, pa.array(numbers))
    return pa.ListArray.from_arrays(statistics.offsets, rounded, mask=statistics.is_null())


def _last_lines(errors: pa.ChunkedArray) -> pa.Array:
    """The last line of each error: what was raised, without the paths of the machine."""
    lines = [None if text is None else text.strip().rsplit("\n", 1)[-1] for text in errors.to_pylist()]
    return pa.array(lines, pa.string())


def _replaced(records: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return records.set_column(records.column_names.index(name), records.schema.field(name), values)
