"""Plans a block: the cells of a method on a task, each with the fingerprint of what can change its number."""

from __future__ import annotations

from typing import Any

from harness.base.fingerprint import fingerprint
from harness.contracts.adaptation import Control, sizes_of
from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.plan import SHORT, BackboneJob, Block, Cell, DataJob, PrepareJob, TaskPlan
from harness.parts.build import adaptations_of
from harness.plan.prepares import PreparePlanner
from harness.plan.request import Request, computed
from harness.plan.settings import check_training, train_settings, wanted_share


class BlockPlanner:
    """Makes the blocks, from data, their fingerprints, backbones, and the preparations that it asks for."""

    def __init__(
        self,
        request: Request,
        data: dict[str, DataJob],
        prints: dict[str, dict[str, str]],
        backbones: dict[str, BackboneJob],
    ) -> None:
        self.request, self.data, self.prints, self.backbones = request, data, prints, backbones
        self.prepares = PreparePlanner(request, data, prints, backbones)

    def plan(self, method: Method, task: str, plan: TaskPlan, run: TaskRun) -> Block:
        """The block of a method on a task."""
        adaptations = adaptations_of(method)
        settings = train_settings(self.request, method, task, run)
        check_training(method, adaptations, task, settings.steps)
        control = isinstance(adaptations[0], Control)
        job = None if control else self.prepares.plan(method, task, plan, run)
        wanted = None if control or settings.steps == 0 else wanted_share(self.request, method, run)
        sized_by = sizes_of(adaptations) if wanted is not None else []
        content: dict[str, Any] = {
            "code": method.code,
            "adapt": {name: part.model_dump() for name, part in zip(method.spec.adapt, adaptations, strict=True)},
            "train": settings.model_dump(),
            "lengths": [plan.max_length, plan.target_length],
            "test_examples": plan.test_examples,
        }
        if sized_by:  # a share that no part can be sized to changes nothing
            content["match_parameters"] = wanted
        if not control and self.request.config.precision != "float32":  # so that what stands keeps its name
            content["precision"] = self.request.config.precision
        cells = self._cells(method, task, plan, None if control else job or self.backbones[plan.backbone], content)
        key = fingerprint([[cell.fingerprint for cell in cells], self.data[task].done])[:SHORT]
        return Block(
            task=task,
            method=method.id,
            planned_from=[method.code, method.spec.adapt, self.request.tasks[task].code],
            train=settings.model_dump(),
            prepare_done=job.done if job else None,
            backbone=plan.backbone,
            cells=cells,
            done=str(self.request.output / "blocks" / task / f"{method.id}-{key}.json"),
            reads_targets=bool(job and job.reads_targets),
            match_parameters=wanted,
            sized_by=sized_by,
            precision=self.request.config.precision,
        )

    def _cells(
        self, method: Method, task: str, plan: TaskPlan, begins: PrepareJob | BackboneJob | None, shared: dict[str, Any]
    ) -> list[Cell]:
        """The cells; `shared` is what they all depend on, and `begins` made the checkpoint that each begins with."""
        cells = []
        for domain in self.request.kept("domain", plan.domains):
            for budget in self.request.kept("budget", plan.budgets):
                for seed in self.request.kept("seed", list(self.request.config.seeds)):
                    model, checkpoint = _begins_with(begins, domain, seed)
                    content = shared | {
                        "data": self.prints[task][domain],
                        "model": model,
                        "cell": [task, domain, budget, seed],
                    }
                    key = computed(content)
                    parent = self.request.output / "cells" / task / method.id
                    folder = str(parent / f"{domain}-k{budget}-s{seed}-{key[:SHORT]}")
                    cells.append(Cell(task, method.id, domain, budget, seed, key, folder, checkpoint))
        return cells


def _begins_with(begins: PrepareJob | BackboneJob | None, domain: str, seed: int) -> tuple[str | None, str | None]:
    """The fingerprint and the folder of the checkpoint that a cell begins with; a control needs none."""
    if begins is None:
        return None, None
    if isinstance(begins, BackboneJob):
        return begins.fingerprint, begins.checkpoint
    parts = {(part.target, part.seed): part for part in begins.parts}
    part = parts.get((domain, seed)) or parts[None, seed]
    return part.fingerprint, part.folder
