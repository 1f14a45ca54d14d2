"""Plans the search of a method's rate on a task: one job for the budgets of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.base.errors import bad
from harness.contracts.budget import told_all
from harness.contracts.plan import SHORT, BackboneJob, Line, Place, PrepareJob, TuneJob
from harness.contracts.task_plan import TaskPlan
from harness.plan.begins import Begins
from harness.plan.request import Ground, LaterPlanner, computed
from harness.plan.setups import Setup
from harness.tune.space import EXAMPLES, SEEDS, SMALLEST, TRIALS, reached


class TunePlanner(LaterPlanner):
    """Makes the searches of methods' rates, from data, their fingerprints, and what makes their checkpoints."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.jobs: dict[str, TuneJob] = {}  # by their marks, those of preparations among them

    def plan(
        self, setup: Setup, task: str, plan: TaskPlan, makers: Sequence[PrepareJob | BackboneJob]
    ) -> dict[int, TuneJob]:
        """The searches of a method on a task, by budget; `makers` make the checkpoints that its cells begin with."""
        places = self.places(task, plan)
        if tuning := self.request.tuning:
            job = self._job(setup, task, plan, makers, places, tuning.budgets, plan.budgets)
            return dict.fromkeys(plan.budgets, job)
        found: dict[int, TuneJob] = {}
        for power in sorted({reached(budget) for budget in self.request.kept("budget", plan.budgets)}):
            reaches = [budget for budget in plan.budgets if reached(budget) == power]
            job = self._job(setup, task, plan, makers, places, [power], reaches)
            found |= dict.fromkeys(reaches, job)
        return found

    def alone(self, setup: Setup, task: str, plan: TaskPlan, budget: int) -> TuneJob:
        """The search of a method's rate from the backbone itself, for the trials of preparations."""
        places = [(domain, seed) for domain in self.domains(task, plan) for seed in SEEDS]
        return self._job(setup, task, plan, [self.backbones[plan.backbone]], places, [budget], [])

    def domains(self, task: str, plan: TaskPlan) -> list[str]:
        """The domains that trials are scored on: those of meta_dev, else the targets."""
        dev = [domain for domain, role in self.data[task].roles.items() if role == "meta_dev"]
        return dev or plan.domains

    def held_out(self, task: str) -> bool:
        """Whether trials are scored on a part of the targets' own examples, for want of meta_dev domains."""
        return "meta_dev" not in self.data[task].roles.values()

    def places(self, task: str, plan: TaskPlan) -> list[tuple[str, int]]:
        """The domains and seeds of a method's search."""
        seeds = self.request.tuning.seeds if self.request.tuning else SEEDS
        return [(domain, seed) for domain in self.domains(task, plan) for seed in seeds]

    def scored(self, task: str, plan: TaskPlan) -> int | None:
        """How many examples of a domain a trial is scored on; None where that is a share of the budget."""
        return None if self.held_out(task) else min(EXAMPLES, plan.test_examples or EXAMPLES)

    def _job(
        self,
        setup: Setup,
        task: str,
        plan: TaskPlan,
        makers: Sequence[PrepareJob | BackboneJob],
        wanted: Sequence[tuple[str, int]],
        budgets: list[int],
        reaches: list[int],
    ) -> TuneJob:
        rate, low, high = setup.method.spec.searched
        if self.held_out(task):
            self._check_held_out(task, [*budgets, *reaches])
        found = Begins(makers)
        begins = [found.of(domain, seed) for domain, seed in wanted]
        content = {name: value for name, value in setup.depends.items() if name != "test_examples"} | {
            "search": [rate, low, high, TRIALS],
            "data": {domain: self.prints[task][domain] for domain, _ in wanted},
            "begins": [[*place, begin.fingerprint] for place, begin in zip(wanted, begins, strict=True)],
            "budgets": budgets,
            "scored": self.scored(task, plan),
            "metric": [task, plan.metric, plan.metrics],
        }
        key = computed(content)
        # From the backbone itself it is a matter of the adaptation: methods that train alike share it.
        prepared = any(isinstance(maker, PrepareJob) for maker in makers)
        name = setup.method.id if prepared else "+".join(setup.method.spec.adapt)
        folder = self.request.output / "tune" / task / f"{name}-k{told_all(budgets, '-')}-{key[:SHORT]}"
        job = tune_job(
            setup,
            task=task,
            budgets=budgets,
            reaches=reaches,
            lines=[Line(rate, low, high, getattr(setup.train, rate))],
            places=[
                Place(domain, seed, begin.checkpoint) for (domain, seed), begin in zip(wanted, begins, strict=True)
            ],
            held_out=self.held_out(task),
            needs=[maker.done for maker in makers],
            fingerprint=key,
            folder=str(folder),
            backbone=plan.backbone,
        )
        return self.jobs.setdefault(job.done, job)

    def _check_held_out(self, task: str, budgets: list[int]) -> None:
        """Refuse budgets of which nothing can be held out."""
        if min(budgets) < SMALLEST:
            mend = f"no rate can be searched on fewer than {SMALLEST} examples; give a domain the role meta_dev, or "
            raise bad(self.request.where, f"tasks.{task}.budgets", min(budgets), mend + "write `rates: given`")


def tune_job(setup: Setup, **fields: Any) -> TuneJob:
    """A search whose trials train as a method's setup says."""
    return TuneJob(
        method=setup.method.id,
        planned_from=setup.planned_from,
        train=setup.train.model_dump(),
        match_parameters=setup.match_parameters,
        sized_by=setup.sized_by,
        precision=setup.precision,
        adapt=setup.method.adapt,
        **fields,
    )
