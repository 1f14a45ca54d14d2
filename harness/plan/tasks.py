"""Plans how a task takes part in a run: its backbones, budgets, scored domains and lengths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.backbone.anatomy import anatomies, architecture_of, check_kind, positions_of
from harness.base.errors import bad
from harness.base.lines import Where
from harness.contracts.config import LocalBackbone, Pretrained, TaskRun
from harness.contracts.plan import DataJob
from harness.contracts.task import JUDGED
from harness.contracts.task_plan import TaskPlan
from harness.data.task import Task, load_task
from harness.plan.judges import planned_judge
from harness.plan.request import Request
from harness.plan.several import names_on


class TaskPlanner:
    """Makes the plans of tasks, from their data jobs."""

    def __init__(self, request: Request, data: dict[str, DataJob]) -> None:
        self.request, self.data = request, data

    def plan(self, task: str, run: TaskRun) -> dict[str, TaskPlan]:
        """One task's part on each of its backbones, by its name there; raises UserError where one is not for it."""
        names = names_on(self.request, task, run)
        if len(names) == 1:
            return {task: self._plan(task, run, *names)}
        found = {name: self._plan(task, run, backbone) for backbone, name in names.items()}
        told = {name: replace(plan, label=f"{plan.label} ({plan.backbone})") for name, plan in found.items()}
        return told | {task: replace(told[task], others=[name for name in told if name != task])}

    def _plan(self, task: str, run: TaskRun, backbone: str) -> TaskPlan:
        found, data = self.request.tasks[task], self.data[task]
        spec = found.spec
        its = self._as_run(task, run)
        max_length = run.max_length or spec.max_length
        target_length = run.target_length or spec.target_length
        self._check_length(task, backbone, self._met_by(backbone, its).longest(max_length, target_length))
        return TaskPlan(
            label=spec.label,
            folder=str(found.folder),
            kind=spec.kind,
            metric=spec.metric,
            direction=spec.direction,
            source=run.source,
            backbone=backbone,
            budgets=sorted(run.budgets or spec.budgets),
            domains=[domain for domain, role in data.roles.items() if role == "meta_test"],
            max_length=max_length,
            target_length=target_length,
            test_examples=run.test_examples,
            overlap_allowed=data.overlap == "allow",
            generates=run.generates or spec.generates,
            domains_are=spec.domains_are,
            # Searches of rates score meta_dev domains too.
            own_metrics={name: its.metric_of(name) for name in data.roles if its.metric_of(name) != spec.metric},
            own_options={name: options for name in data.roles if (options := its.metric_options(name))},
            generation=run.generation.said(),
            labelling=its.labelling.unusual() if its.labelling else {},
            metrics=its.spec.metrics.model_dump(include=set(its.options) - set(JUDGED)),
            judges=self._judges(task, its, run),
        )

    def _as_run(self, task: str, run: TaskRun) -> Task:
        """The task as the run has it; raises UserError for settings that are not for its kind."""
        where, found = self.request.where, self.request.tasks[task]
        its = load_task(found)
        if run.generates and not its.generates:
            mend = f"{found.spec.kind} has no replies that could be left out; remove it"
            raise bad(where, f"tasks.{task}.generates", True, mend)
        its = load_task(found, run.generates)
        its.check_metrics(run.metrics.said(), where, f"tasks.{task}.metrics")
        its.measure_by(run.metrics.said())
        for field, settings, have, lack in (
            ("generation", run.generation.said(), its.generation, "generate no texts"),
            ("labelling", run.labelling.said(), its.labelling, "give no tags"),
        ):
            if settings and have is None:
                mend = f"tasks of kind {found.spec.kind} {lack}; remove it"
                raise bad(where, f"tasks.{task}.{field}", settings, mend)
        its.label_by(run.labelling.said())
        return its

    def _met_by(self, backbone: str, its: Task) -> Task:
        """The task as the backbone reads it; raises UserError where its architecture is not for such tasks."""
        described = self.request.config.backbones[backbone]
        where: Where
        if isinstance(described, Pretrained):
            where, architecture = self.request.where, described.architecture
        elif isinstance(described, LocalBackbone):
            where, architecture = Path(described.path) / "config.json", architecture_of(Path(described.path))
        else:  # not known before a backbone of the hub is here
            return its
        check_kind(where, architecture, its.spec.kind)
        return its.read_by(anatomies()[architecture].model_for(its.spec.kind))

    def _judges(self, task: str, its: Task, run: TaskRun) -> dict[str, dict[str, Any]]:
        """The models that judge for metrics, by the metric; raises UserError where one cannot."""
        found = {}
        for metric in JUDGED:
            if asked := getattr(its.spec.metrics, metric):
                said = getattr(run.metrics, metric) is not None
                where: Where = self.request.where if said else its.folder / "task.yaml"
                found[metric] = planned_judge(asked, where, f"{f'tasks.{task}.' if said else ''}metrics.{metric}")
        return found

    def _check_length(self, task: str, backbone: str, longest: int) -> None:
        """Refuse texts that are longer than the backbone has positions for."""
        described = self.request.config.backbones[backbone]
        room: int | None = None  # not known before a backbone of the hub is here
        if isinstance(described, Pretrained):
            room = described.max_length
        elif isinstance(described, LocalBackbone):
            room = positions_of(Path(described.path))
        if room is not None and longest > room:
            mend = f"backbone {backbone!r} reads at most {room} tokens; lower it or take a longer backbone"
            raise bad(self.request.where, f"tasks.{task}.max_length", longest, mend)
