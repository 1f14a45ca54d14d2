"""The file of a plan, read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.base.files import read_json
from harness.contracts.adapt_job import AdaptJob
from harness.contracts.plan import (
    BackboneJob,
    Block,
    Cell,
    DataJob,
    Line,
    Place,
    Plan,
    Prepared,
    PrepareJob,
    TuneJob,
)
from harness.contracts.task_plan import TaskPlan


def load_plan(path: Path) -> Plan:
    """The plan that a run has saved."""
    content = read_json(path)
    blocks = []
    for block in content.pop("blocks"):
        cells = [Cell(**cell) for cell in block.pop("cells")]
        blocks.append(Block(**block, cells=cells))
    prepares = [_prepare_job(job) for job in content.pop("prepares")]
    return Plan(
        tunes=[_tune_job(job) for job in content.pop("tunes")],
        data=[DataJob(**job) for job in content.pop("data")],
        backbones=[BackboneJob(**job) for job in content.pop("backbones")],
        tasks={name: TaskPlan(**task) for name, task in content.pop("tasks").items()},
        prepares=prepares,
        blocks=blocks,
        adapts=[AdaptJob(**job) for job in content.pop("adapts")],
        **content,
    )


def _prepare_job(content: dict[str, Any]) -> PrepareJob:
    return PrepareJob(**content | {"parts": [Prepared(**part) for part in content["parts"]]})


def _tune_job(content: dict[str, Any]) -> TuneJob:
    prepare = _prepare_job(content["prepare"]) if content["prepare"] else None
    places, lines = [Place(**place) for place in content["places"]], [Line(**line) for line in content["lines"]]
    return TuneJob(**content | {"places": places, "lines": lines, "prepare": prepare})
