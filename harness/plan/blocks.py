"""Plans a block: the cells of a method on a task, each with the fingerprint of what can change its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.contracts.adaptation import TokenControl
from harness.contracts.budget import told
from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.plan import SHORT, BackboneJob, Block, Cell, PrepareJob, TuneJob
from harness.contracts.task_plan import TaskPlan
from harness.plan.begins import Begins
from harness.plan.preparation_tunes import PreparationTunePlanner
from harness.plan.prepares import PreparePlanner
from harness.plan.rates import preparation_origin
from harness.plan.request import Ground, LaterPlanner, computed_from
from harness.plan.settings import check_not_solved, check_stopping, points_of
from harness.plan.setups import setup_of
from harness.plan.tunes import TunePlanner


class BlockPlanner(LaterPlanner):
    """Makes the blocks, from data, their fingerprints, backbones, and the preparations that it asks for."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.tunes = TunePlanner(ground)
        self.prepares = PreparePlanner(ground, PreparationTunePlanner(ground, self.tunes))
        # By method, task and backbone: a variant takes its method's.
        self.searched: dict[tuple[str, str, str], dict[int, TuneJob]] = {}

    def plan(self, method: Method, task: str, plan: TaskPlan, run: TaskRun) -> Block:
        """The block of a method on a task."""
        base = self.backbones[plan.backbone]
        setup = setup_of(self.request, method, task, plan, run, base)
        check_stopping(self.request, setup.train, task, plan)
        check_not_solved(self.request, method, task, run, setup.sized_by)
        preparing = None if setup.is_control else self.prepares.setup(method, task, plan, run)
        prepares = self.prepares.plan(preparing) if preparing else []
        tunes: dict[int, TuneJob] = {}
        if setup.origin == "searched":
            place = method.base, task, plan.backbone
            if place not in self.searched:
                makers: Sequence[PrepareJob | BackboneJob] = [base]
                if preparing:
                    makers = self.prepares.searched_from(prepares, preparing, self.tunes.places(task, plan))
                self.searched[place] = self.tunes.plan(setup, task, plan, makers)
            tunes = self.searched[place]
        from_base = not setup.is_control or isinstance(setup.adaptations[0], TokenControl)
        points = [] if setup.is_control else points_of(self.request, setup.train, method, task, run)
        depends = setup.depends | ({"points": points} if points else {})  # a search scores none of them
        begins = Begins(prepares or [base]) if from_base else None
        return Block(
            task=task,
            method=method.id,
            planned_from=setup.planned_from,
            train=setup.train.model_dump(),
            prepared_by=[job.done for job in prepares],
            backbone=plan.backbone,
            cells=self._cells(method, task, plan, begins, depends, tunes),
            reads_targets=any(job.reads_targets for job in prepares),
            match_parameters=setup.match_parameters,
            sized_by=setup.sized_by,
            precision=self.request.config.precision,
            points=points,
            adapt=method.adapt,
            rates=setup.origin,
            preparation_rates=preparation_origin(self.request, method, task, run, base),
        )

    def _cells(
        self,
        method: Method,
        task: str,
        plan: TaskPlan,
        begins: Begins | None,
        shared: dict[str, Any],
        tunes: dict[int, TuneJob],
    ) -> list[Cell]:
        """The cells; `shared` is what they all depend on, and `begins` the checkpoints, None where they need none."""
        cells = []
        content, parent = computed_from(shared), self.request.output / "cells" / task / method.id
        for domain in self.request.kept("domain", plan.domains):
            for budget in self.request.kept("budget", plan.budgets):
                for seed in self.request.kept("seed", list(self.request.config.seeds)):
                    begin = begins.of(domain, seed) if begins else None
                    tune = tunes.get(budget)
                    own: dict[str, Any] = {
                        "data": self.prints[task][domain],
                        "model": begin.fingerprint if begin else None,
                        "cell": [task, domain, budget, seed],
                    }
                    key = content.fingerprint(own | ({"rate": tune.fingerprint} if tune else {}))
                    folder = f"{parent}/{domain}-k{told(budget)}-s{seed}-{key[:SHORT]}"
                    checkpoint, rates_from = begin.checkpoint if begin else None, tune.done if tune else None
                    cells.append(Cell(task, method.id, domain, budget, seed, key, folder, checkpoint, rates_from))
        return cells
