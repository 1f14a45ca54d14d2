"""records.parquet as tables, boards and claims read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.contracts.budget import WHOLE
from harness.contracts.plan import Plan
from harness.record.schema import ALONG

STATISTICS = "statistics"


def read_records(file: Path) -> pd.DataFrame:
    """The records of a file, one row a cell and metric."""
    return in_frame(pq.read_table(file))


def in_frame(records: pa.Table) -> pd.DataFrame:
    """Records as a frame; statistics are arrays [n, s], of the metric that ranks alone, since nothing reads others'.

    An array of arrays for every row, as pandas makes them, takes twenty times the memory and most of the time.
    """
    frame = records.drop_columns([STATISTICS]).to_pandas()
    frame.insert(records.column_names.index(STATISTICS), STATISTICS, _arrays(records))
    if "whole" not in frame:  # records that were written before there was such a budget
        return frame
    # Domains have other numbers of examples, and one budget `all`. What does not say is no such.
    whole = frame.whole.eq(True)
    return frame.assign(budget=frame.budget.mask(whole, int(WHOLE)).astype("int64"))


def along_file(plan: Plan) -> Path:
    """Where scores along the way are."""
    return Path(plan.output) / "along.parquet"


def read_along(plan: Plan) -> pd.DataFrame:
    """Scores along the way, with the columns of records and those of `POINTS`; none where none were collected."""
    if plan.along and along_file(plan).is_file():
        return read_records(along_file(plan))
    return pa.Table.from_pylist([], schema=ALONG).to_pandas()


def each_row(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of some columns, read a column at a time: pandas takes strings out of a frame one by one."""
    return zip(*(frame[name].to_numpy(dtype=object) for name in names), strict=True)


def _arrays(records: pa.Table) -> pd.Series[Any]:
    """The statistics of each row that has any and is primary: views of one array of all."""
    found: list[Any] = [None] * len(records)
    column = records[STATISTICS].combine_chunks()
    wanted = np.asarray(column.is_valid()) & records["primary"].to_numpy().astype(bool)
    # The offsets and values of a list are those of the whole buffer, wherever its own rows begin.
    examples = column.values
    numbers = examples.values.to_numpy(zero_copy_only=False)
    starts, ends = np.asarray(column.offsets), np.asarray(examples.offsets)
    for row in np.flatnonzero(wanted):
        first, last = starts[row], starts[row + 1]
        its = numbers[ends[first] : ends[last]]
        found[row] = its.reshape(last - first, len(its) // max(last - first, 1))
    return pd.Series(found, dtype=object)
