"""The rule `collect`: records.parquet, one row a cell and metric."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.adapt.record import SCORES, read_record
from harness.base.files import read_json, whole_file
from harness.contracts.plan import Cell, Plan
from harness.record.read import in_frame
from harness.record.schema import COLUMNS, PREPARATION, SCHEMA


def collect(plan: Plan) -> pd.DataFrame:
    """Every cell of the plan, as `read_records` has it."""
    return in_frame(_table(plan))


def write_records(plan: Plan) -> None:
    """Write records.parquet, whole or not at all."""
    with whole_file(records_file(plan)) as beside:
        pq.write_table(_table(plan), beside)


def records_file(plan: Plan) -> Path:
    """Where the records of a plan are."""
    return Path(plan.output) / "records.parquet"


def _table(plan: Plan) -> pa.Table:
    """Every cell of the plan, in its order; a cell without a score has one row with a status."""
    preparation, tuning = _preparation_costs(plan), _tuning_seconds(plan)
    searched = {part.folder: job.rates_from or "" for job in plan.prepares for part in job.parts}
    blocks = {(block.task, block.method): block for block in plan.blocks}
    rows: list[dict[str, Any]] = []
    more: dict[str, Any]
    for cell in plan.cells():
        block = blocks[cell.task, cell.method]
        more = {"rates": block.rates, "preparation_rates": block.preparation_rates}
        # Shared by all cells that take the rate, or begin with what was prepared at those that were searched for that.
        more |= {"tuning_seconds": tuning.get(cell.rates_from or "", 0.0)}
        more |= {"preparation_tuning_seconds": tuning.get(searched.get(cell.checkpoint or "", ""), 0.0)}
        rows += [row | more for row in _rows(plan, cell, preparation)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _rows(plan: Plan, cell: Cell, preparation: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    task = plan.tasks[cell.task]
    record = read_record(Path(cell.folder), cell.fingerprint) or {"status": "missing"}
    costs = record.get("costs", {})
    row = {
        "task": cell.task,
        "method": cell.method,
        "domain": cell.domain,
        "budget": cell.budget,
        "seed": cell.seed,
        "source": task.source,
        "backbone": task.backbone,
        "model": _json(record.get("model")),  # which checkpoint that was
        "status": record["status"],
        "metric": task.metric_of(cell.domain),
        "primary": True,
        "direction": task.direction,
        "fingerprint": cell.fingerprint,
        "leaks": bool(record.get("leaks")),  # a cell without a record shows no score that could mislead
        # Test examples of others that were left out of what the checkpoint was made from, by task/domain and split.
        "dropped": json.dumps(record.get("dropped") or {}, sort_keys=True),
        "error": record.get("error"),
        **preparation.get(cell.checkpoint or "", dict.fromkeys(PREPARATION, 0.0)),  # without one it costs nothing
        "train": _json(record.get("train")),
        "generation": _json(record.get("generation")),  # of kinds that generate
        "provenance": _json(record.get("provenance")),
    } | {name: value for name, value in costs.items() if name in COLUMNS}
    row["report"] = _json(costs.get("report", {}))
    scores = Path(cell.folder) / SCORES
    if record["status"] != "done" or not scores.is_file():
        return [row]
    found = read_json(scores)
    return [
        row
        | {
            "metric": metric,
            "score": score,
            "n": found["n"],
            "primary": metric == task.metric_of(cell.domain),
            "error": found.get("undefined", {}).get(metric),
            "statistics": found["statistics"].get(metric),
            "options": json.dumps(found["options"].get(metric, {}), sort_keys=True),
        }
        for metric, score in found["scores"].items()
    ]


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)


def _preparation_costs(plan: Plan) -> dict[str, dict[str, Any]]:
    """Costs by prepared folder; None where a preparation did not say, failed, or is still to be made."""
    costs = {}
    for job in plan.prepares:
        for part in job.parts:
            found = read_json(Path(part.done))["cost"] if Path(part.done).is_file() else {}
            costs[part.folder] = {column: found.get(key) for column, key in PREPARATION.items()}
    return costs


def _tuning_seconds(plan: Plan) -> dict[str, float | None]:
    """What each search cost, by its file; None where it is still to be made."""
    done = {job.done: Path(job.done) for job in plan.tunes}
    return {name: read_json(file)["cost"]["seconds"] if file.is_file() else None for name, file in done.items()}
