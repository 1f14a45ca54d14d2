"""The checkpoints that a run did not make itself: what is wrong with them, told before any compute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from harness.contracts.discover import shared, tasks
from harness.contracts.plan import BackboneJob, Plan
from harness.contracts.preparation import Preparation
from harness.data.task import Task, load_task

if TYPE_CHECKING:
    from harness.adapt.trial import Use

TEXTS = 20  # of each domain, to see whether a tokenizer knows their words


def check_local(plan: Plan) -> list[str]:
    """What to know of the run's local checkpoints, a line each; raises UserError at the first that cannot be used."""
    return [line for job in plan.backbones if job.spec["source"] == "local" for line in check_backbone(plan, job)]


def check_backbone(plan: Plan, job: BackboneJob) -> list[str]:
    """What to know of a checkpoint that stands, a line each; raises UserError where the run cannot use it."""
    from harness.adapt.trial import try_checkpoint  # torch, which no plan needs

    lines = []
    for use in _uses(plan, job):
        lines += try_checkpoint(Path(job.checkpoint), use)
    return [f"backbone {job.name}: {line}" for line in dict.fromkeys(lines)]


def _uses(plan: Plan, job: BackboneJob) -> Iterator[Use]:
    """What the run's cells and preparations do with a backbone."""
    from harness.adapt.trial import Use

    known = shared("prepare", Preparation)
    for name, task in plan.tasks.items():
        blocks = [block for block in plan.blocks if block.task == name and block.backbone == job.name]
        if not any(cell.checkpoint for block in blocks for cell in block.cells):
            continue  # controls predict without one
        prepares = [prepare for prepare in plan.prepares if (prepare.task, prepare.backbone) == (name, job.name)]
        pretrains = any(known[prepare.name].pretrains for prepare in prepares)
        found = load_task(tasks()[name]).at(task.domains[0])
        yield Use(found, task.max_length, task.target_length, pretrains, _texts(plan, name, found))


def _texts(plan: Plan, name: str, task: Task) -> list[str]:
    """A few texts of each domain of a task whose data stand."""
    files = [Path(folder) / "train.jsonl" for folder in plan.data_of(name).folders.values()]
    texts = []
    for file in files:
        if file.is_file():
            with open(file, encoding="utf-8") as lines:
                texts += [task.text(json.loads(line)) for line in islice(lines, TEXTS)]
    return texts
