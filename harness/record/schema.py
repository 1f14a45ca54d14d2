"""The columns of records.parquet and their types, the same in every run, so that any two are read together."""

from __future__ import annotations

import pyarrow as pa

RECORDS = "records.parquet"  # the file, in a folder of results
# What a prepared checkpoint cost: the columns, and the keys of its prepared.json. Memory is what it took.
PREPARATION = {
    "preparation_seconds": "seconds", "preparation_tokens": "tokens", "preparation_flops": "flops",
    "preparation_peak_rss_mib": "peak_rss_mib",
}  # fmt: skip
TEXT, WHOLE, NUMBER, TRUTH = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TYPES: dict[str, pa.DataType] = {
    "task": TEXT, "method": TEXT, "domain": TEXT, "budget": WHOLE, "seed": WHOLE, "source": TEXT, "backbone": TEXT,
    "model": TEXT, "status": TEXT, "metric": TEXT, "score": NUMBER, "n": WHOLE, "primary": TRUTH, "direction": TEXT,
    "fingerprint": TEXT, "adaptation_seconds": NUMBER, "prediction_seconds": NUMBER, "preparation_seconds": NUMBER,
    "preparation_tokens": WHOLE, "preparation_flops": NUMBER, "preparation_peak_rss_mib": NUMBER,
    "peak_rss_mib": NUMBER, "peak_device_mib": NUMBER, "trained_parameters": WHOLE, "model_parameters": WHOLE,
    "stored_bytes": WHOLE, "trained_tokens": WHOLE, "trained_share": NUMBER, "wanted_share": NUMBER, "sized": TEXT,
    "arithmetic_cpu_seconds": NUMBER, "rates": TEXT, "preparation_rates": TEXT, "tuning_seconds": NUMBER,
    "best_step": WHOLE, "best_seconds": NUMBER,  # of early stopping, where it is on
    "whole": TRUTH,  # whether the budget is `all`, and `budget` the number of the domain's examples
    "preparation_tuning_seconds": NUMBER,
    "leaks": TRUTH, "dropped": TEXT, "options": TEXT, "error": TEXT,
    # An example's statistics are a row of numbers; what else has a shape of its own is JSON.
    "statistics": pa.list_(pa.list_(NUMBER)), "report": TEXT, "train": TEXT, "generation": TEXT, "provenance": TEXT,
}  # fmt: skip
COLUMNS = tuple(TYPES)
SCHEMA = pa.schema(list(TYPES.items()))
# along.parquet has a row a point of a training, before which the seconds of training are; the last is the cell's score.
POINTS: dict[str, pa.DataType] = {"point": NUMBER, "unit": TEXT, "step": WHOLE, "seconds": NUMBER, "last": TRUTH}
ALONG = pa.schema([*TYPES.items(), *POINTS.items()])
