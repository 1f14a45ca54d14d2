"""The rule `collect`: records.parquet, one row a cell and metric."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from harness.adapt.record import SCORES, read_record
from harness.base.files import read_json, whole_file
from harness.contracts.plan import Cell, Plan

# What a prepared checkpoint cost: the columns, and the keys of its prepared.json. Memory is that of the process.
PREPARATION = {
    "preparation_seconds": "seconds", "preparation_tokens": "tokens", "preparation_flops": "flops",
    "preparation_peak_rss_mib": "peak_rss_mib",
}  # fmt: skip
COLUMNS = (
    "task", "method", "domain", "budget", "seed", "source", "backbone", "status", "metric", "score", "n",
    "primary", "direction", "fingerprint", "adaptation_seconds", "prediction_seconds", *PREPARATION,
    "peak_rss_mib", "peak_device_mib", "trained_parameters", "model_parameters", "stored_bytes", "trained_tokens",
    "trained_share", "wanted_share", "sized",
    "arithmetic_cpu_seconds", "leaks", "dropped", "options", "error", "report", "statistics", "train", "provenance",
)  # fmt: skip


def collect(plan: Plan) -> pd.DataFrame:
    """Every cell of the plan, in its order; a cell without a score has one row with a status."""
    preparation = _preparation_costs(plan)
    rows: list[dict[str, Any]] = []
    for cell in plan.cells():
        rows += _rows(plan, cell, preparation)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_records(plan: Plan) -> None:
    """Write records.parquet, whole or not at all."""
    with whole_file(records_file(plan)) as beside:
        collect(plan).to_parquet(beside, index=False)


def records_file(plan: Plan) -> Path:
    """Where the records of a plan are."""
    return Path(plan.output) / "records.parquet"


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
        "status": record["status"],
        "metric": task.metric,
        "primary": True,
        "direction": task.direction,
        "fingerprint": cell.fingerprint,
        "leaks": bool(record.get("leaks")),  # a cell without a record shows no score that could mislead
        # Test examples of others that were left out of what the checkpoint was made from, by task/domain and split.
        "dropped": json.dumps(record.get("dropped") or {}, sort_keys=True),
        "error": record.get("error"),
        **preparation.get(cell.checkpoint or "", dict.fromkeys(PREPARATION, 0.0)),
        "train": json.dumps(record.get("train"), sort_keys=True),
        "provenance": json.dumps(record.get("provenance"), sort_keys=True),
    } | {name: value for name, value in costs.items() if name in COLUMNS}
    row["report"] = json.dumps(costs.get("report", {}), sort_keys=True)
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
            "primary": metric == task.metric,
            "statistics": found["statistics"].get(metric),
            "options": json.dumps(found["options"].get(metric, {}), sort_keys=True),
        }
        for metric, score in found["scores"].items()
    ]


def _preparation_costs(plan: Plan) -> dict[str, dict[str, Any]]:
    """Costs by prepared folder, for those that stand; None where a preparation did not say."""
    costs = {}
    for job in plan.prepares:
        for part in job.parts:
            file = Path(part.folder) / "prepared.json"
            if file.is_file():
                found = read_json(file)["cost"]
                costs[part.folder] = {column: found.get(key) for column, key in PREPARATION.items()}
    return costs
