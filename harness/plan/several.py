"""A task on several backbones: by its own name on the first, and on another as `task@backbone`.

So what reads a task's cells, records or scores by its name (tables, boards, tests, figures) never mixes backbones.
Planners know a task by its folder, from which files and fingerprints have their names: cells of a backbone are the same
whether it stands alone, first or last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.base.errors import bad
from harness.base.paths import PLAIN
from harness.contracts.config import TaskRun
from harness.contracts.model import one_of
from harness.contracts.plan import BackboneJob, Plan
from harness.plan.request import Request


def names_on(request: Request, task: str, run: TaskRun) -> dict[str, str]:
    """The name of a task on each of its backbones, by the backbone; raises UserError where a backbone is none."""
    field = f"tasks.{task}.{'backbones' if run.backbones else 'backbone'}"
    chosen = run.backbones or [run.backbone or request.tasks[task].spec.backbone]
    for backbone in chosen:
        one_of(backbone, list(request.config.backbones), request.where, field)
        if len(chosen) > 1 and not PLAIN.fullmatch(backbone):
            mend = "it becomes a part of names of files; name it with letters, digits, _ . + and -"
            raise bad(request.where, field, backbone, mend)
    return {backbone: task if place == 0 else f"{task}@{backbone}" for place, backbone in enumerate(chosen)}


def check_different(request: Request, task: str, run: TaskRun, backbones: Mapping[str, BackboneJob]) -> None:
    """Refuse backbones of a task that are one checkpoint under two names."""
    met: dict[str, str] = {}
    for name in run.backbones or []:
        other = met.setdefault(backbones[name].fingerprint, name)
        if other != name:
            mend = f"it is the same checkpoint as {other!r}; remove one of the two"
            raise bad(request.where, f"tasks.{task}.backbones", name, mend)


def told_apart(plan: Plan) -> Plan:
    """The plan with the jobs on a task's further backbones called by its names there."""
    names = {(task.base, task.backbone): name for name, task in plan.tasks.items() if name != task.base}
    if not names:
        return plan

    def called(job: Any) -> Any:
        name = names.get((job.task, job.backbone))
        return job if name is None else replace(job, task=name)

    blocks = [called(block) for block in plan.blocks]
    return replace(
        plan,
        blocks=[replace(its, cells=[replace(cell, task=its.task) for cell in its.cells]) for its in blocks],
        adapts=[called(job) for job in plan.adapts],
        prepares=[called(job) for job in plan.prepares],
        tunes=[called(replace(job, prepare=called(job.prepare) if job.prepare else None)) for job in plan.tunes],
    )
