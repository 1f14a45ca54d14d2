"""Plans a block: the cells of a method on a task, each with the fingerprint of what can change its number."""

from __future__ import annotations

from typing import Any

from harness.base.fingerprint import fingerprint
from harness.contracts.adaptation import Control, TokenControl, sizes_of
from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.plan import SHORT, BackboneJob, Block, Cell, PrepareJob, TaskPlan, TuneJob
from harness.parts.build import adaptations_of
from harness.plan.prepares import PreparePlanner, begins_with
from harness.plan.rates import origin_of, preparation_origin, tuned_for
from harness.plan.request import Ground, LaterPlanner, computed
from harness.plan.settings import check_training, train_settings, wanted_share
from harness.plan.tunes import TunePlanner


class BlockPlanner(LaterPlanner):
    """Makes the blocks, from data, their fingerprints, backbones, and the preparations that it asks for."""

    def __init__(self, ground: Ground) -> None:
        self.request, self.data, self.prints, self.backbones = (
            ground.request,
            ground.data,
            ground.prints,
            ground.backbones,
        )
        self.prepares = PreparePlanner(ground)
        self.tunes = TunePlanner(ground, self.prepares)

    def plan(self, method: Method, task: str, plan: TaskPlan, run: TaskRun) -> Block:
        """The block of a method on a task."""
        adaptations, base = adaptations_of(method), self.backbones[plan.backbone]
        settings = train_settings(self.request, method, task, run, tuned_for(method, task, run, base))
        check_training(method, adaptations, task, settings.steps)
        control = isinstance(adaptations[0], Control)
        prepare = None if control else self.prepares.plan(method, task, plan, run)
        wanted = None if control or settings.steps == 0 else wanted_share(self.request, method, run)
        sized_by = sizes_of(adaptations) if wanted is not None else []
        origin = origin_of(self.request, method, task, run, base) if settings.steps else "none"
        shared: dict[str, Any] = {
            "code": method.code,
            "adapt": {name: part.model_dump() for name, part in zip(method.spec.adapt, adaptations, strict=True)},
            "train": settings.model_dump(exclude={method.spec.searched[0]} if origin == "searched" else None),
            "lengths": [plan.max_length, plan.target_length],
            "test_examples": plan.test_examples,
        }
        if plan.generation:
            shared["generation"] = plan.generation
        if plan.generates:  # so that what stands without keeps its name
            shared["generates"] = True
        if sized_by:  # a share that no part can be sized to changes nothing
            shared["match_parameters"] = wanted
        if not control and self.request.config.precision != "float32":  # so that what stands keeps its name
            shared["precision"] = self.request.config.precision
        tunes = self.tunes.plan(method, task, plan, run, prepare, shared) if origin == "searched" else {}
        maker = base if isinstance(adaptations[0], TokenControl) else None if control else prepare or base
        cells = self._cells(method, task, plan, maker, shared, tunes)
        key = fingerprint([[cell.fingerprint for cell in cells], self.data[task].done])[:SHORT]
        return Block(
            task=task,
            method=method.id,
            planned_from=[method.code, method.spec.adapt, self.request.tasks[task].code],
            train=settings.model_dump(),
            prepare_done=prepare.done if prepare else None,
            backbone=plan.backbone,
            cells=cells,
            done=str(self.request.output / "blocks" / task / f"{method.id}-{key}.json"),
            reads_targets=bool(prepare and prepare.reads_targets),
            match_parameters=wanted,
            sized_by=sized_by,
            precision=self.request.config.precision,
            rates=origin,
            preparation_rates=preparation_origin(self.request, method, task, run),
        )

    def _cells(
        self,
        method: Method,
        task: str,
        plan: TaskPlan,
        maker: PrepareJob | BackboneJob | None,
        shared: dict[str, Any],
        tunes: dict[int, TuneJob],
    ) -> list[Cell]:
        """The cells; `shared` is what they all depend on, and `maker` makes the checkpoint that each begins with."""
        cells = []
        for domain in self.request.kept("domain", plan.domains):
            for budget in self.request.kept("budget", plan.budgets):
                for seed in self.request.kept("seed", list(self.request.config.seeds)):
                    begin = begins_with([maker], domain, seed) if maker else None
                    content = shared | {
                        "data": self.prints[task][domain],
                        "model": begin.fingerprint if begin else None,
                        "cell": [task, domain, budget, seed],
                    }
                    tune = tunes.get(budget)
                    if tune:
                        content["rate"] = tune.fingerprint
                    key = computed(content)
                    parent = self.request.output / "cells" / task / method.id
                    folder = str(parent / f"{domain}-k{budget}-s{seed}-{key[:SHORT]}")
                    checkpoint, rates_from = begin.checkpoint if begin else None, tune.done if tune else None
                    cells.append(Cell(task, method.id, domain, budget, seed, key, folder, checkpoint, rates_from))
        return cells
