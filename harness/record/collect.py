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
from harness.contracts.budget import WHOLE
from harness.contracts.plan import Cell, Plan
from harness.record.read import along_file, in_frame
from harness.record.schema import ALONG, COLUMNS, PREPARATION, RECORDS, SCHEMA


def collect(plan: Plan) -> pd.DataFrame:
    """Every cell of the plan, as `read_records` has it."""
    return in_frame(_table(plan))


def write_records(plan: Plan) -> None:
    """Write records.parquet, whole or not at all."""
    with whole_file(records_file(plan)) as beside:
        pq.write_table(_table(plan), beside)
    if plan.along:
        with whole_file(along_file(plan)) as beside:
            pq.write_table(_along_table(plan), beside)


def records_file(plan: Plan) -> Path:
    """Where the records of a plan are."""
    return Path(plan.output) / RECORDS


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


def _along_table(plan: Plan) -> pa.Table:
    """A row for each point of a finished cell's training and each metric there."""
    preparation, rows = _preparation_costs(plan), []
    for cell in (cell for block in plan.blocks if block.points for cell in block.cells):
        record, scores = _record(cell), Path(cell.folder) / SCORES
        costs = record.get("costs", {})
        if record["status"] != "done" or "along" not in costs or not scores.is_file():
            continue
        row, found = _row(plan, cell, record, preparation), read_json(scores)
        for place, its in zip(costs["along"], [*found.get("along", []), found], strict=True):
            point = place | {"unit": costs["along_unit"], "last": its is found}
            rows += [scored | point for scored in _scored(plan, cell, row, its)]
    return pa.Table.from_pylist(rows, schema=ALONG)


def _record(cell: Cell) -> dict[str, Any]:
    return read_record(Path(cell.folder), cell.fingerprint) or {"status": "missing"}


def _rows(plan: Plan, cell: Cell, preparation: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A cell's row for each metric, or one with its status."""
    record, scores = _record(cell), Path(cell.folder) / SCORES
    row = _row(plan, cell, record, preparation)
    if record["status"] != "done" or not scores.is_file():
        return [row]
    return _scored(plan, cell, row, read_json(scores))


def _row(plan: Plan, cell: Cell, record: dict[str, Any], preparation: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What all rows of a cell share."""
    task, costs = plan.tasks[cell.task], record.get("costs", {})
    row = {
        "task": cell.task,
        "method": cell.method,
        "domain": cell.domain,
        "budget": _examples(plan, cell),
        "whole": cell.budget == WHOLE,
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
    return row | {"report": _json(costs.get("report", {}))}


def _scored(plan: Plan, cell: Cell, row: dict[str, Any], found: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each metric of what was scored."""
    task = plan.tasks[cell.task]
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


def _examples(plan: Plan, cell: Cell) -> int | None:
    """The number of examples of a cell's budget: of `all` its domain's, None before its data stand."""
    if cell.budget != WHOLE:
        return cell.budget
    manifest = Path(plan.data_of(cell.task).folders[cell.domain]) / "manifest.json"
    return int(read_json(manifest)["splits"]["train"]["examples"]) if manifest.is_file() else None


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
