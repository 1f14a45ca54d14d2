"""Plans the search of a method's rate on a task: one job for the budgets of a class."""

from __future__ import annotations

from typing import Any

from harness.base.errors import bad
from harness.contracts.budget import told_all
from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.plan import SHORT, BackboneJob, Place, PrepareJob, TaskPlan, TuneJob
from harness.plan.prepares import PreparePlanner, begins_with
from harness.plan.request import Ground, LaterPlanner, computed
from harness.tune.space import EXAMPLES, SEEDS, SMALLEST, TRIALS, reached


class TunePlanner(LaterPlanner):
    """Makes the searches, from data, their fingerprints, backbones and preparations."""

    def __init__(self, ground: Ground, prepares: PreparePlanner) -> None:
        self.request, self.data, self.prints, self.backbones = (
            ground.request,
            ground.data,
            ground.prints,
            ground.backbones,
        )
        self.prepares = prepares
        self.jobs: list[TuneJob] = []

    def plan(
        self,
        method: Method,
        task: str,
        plan: TaskPlan,
        run: TaskRun,
        prepare: PrepareJob | None,
        shared: dict[str, Any],
    ) -> dict[int, TuneJob]:
        """The searches of a method on a task, by budget. `shared` is what all its cells depend on."""
        if tuning := self.request.tuning:
            job = self._job(method, task, plan, run, prepare, shared, tuning.budgets, plan.budgets)
            return dict.fromkeys(plan.budgets, job)
        found: dict[int, TuneJob] = {}
        for power in sorted({reached(budget) for budget in self.request.kept("budget", plan.budgets)}):
            reaches = [budget for budget in plan.budgets if reached(budget) == power]
            job = self._job(method, task, plan, run, prepare, shared, [power], reaches)
            found |= dict.fromkeys(reaches, job)
        return found

    def _job(
        self,
        method: Method,
        task: str,
        plan: TaskPlan,
        run: TaskRun,
        prepare: PrepareJob | None,
        shared: dict[str, Any],
        budgets: list[int],
        reaches: list[int],
    ) -> TuneJob:
        rate, low, high = method.spec.searched
        dev = [domain for domain, role in self.data[task].roles.items() if role == "meta_dev"]
        if not dev:
            self._check_held_out(task, [*budgets, *reaches])
        seeds = self.request.tuning.seeds if self.request.tuning else SEEDS
        wanted = [(domain, seed) for domain in dev or plan.domains for seed in seeds]
        makers: list[PrepareJob | BackboneJob] = [self.backbones[plan.backbone]]
        if prepare:
            makers = [prepare, *self.prepares.beside(prepare, method, task, plan, run, wanted)]
        begins = [begins_with(makers, domain, seed) for domain, seed in wanted]
        content = {name: value for name, value in shared.items() if name != "test_examples"} | {
            "search": [rate, low, high, TRIALS],
            "data": {domain: self.prints[task][domain] for domain, _ in wanted},
            "begins": [[*place, begin.fingerprint] for place, begin in zip(wanted, begins, strict=True)],
            "budgets": budgets,
            "scored": None if not dev else min(EXAMPLES, plan.test_examples or EXAMPLES),
            "metric": [task, plan.metric, plan.metrics],
        }
        key = computed(content)
        name = f"{method.id}-k{told_all(budgets, '-')}-{key[:SHORT]}"
        job = TuneJob(
            task=task,
            method=method.id,
            budgets=budgets,
            reaches=reaches,
            rate=rate,
            low=low,
            high=high,
            places=[
                Place(domain, seed, begin.checkpoint) for (domain, seed), begin in zip(wanted, begins, strict=True)
            ],
            held_out=not dev,
            needs=[maker.done for maker in makers],
            fingerprint=key,
            folder=str(self.request.output / "tune" / task / name),
        )
        self.jobs.append(job)
        return job

    def _check_held_out(self, task: str, budgets: list[int]) -> None:
        """Refuse budgets of which nothing can be held out."""
        if min(budgets) < SMALLEST:
            mend = f"no rate can be searched on fewer than {SMALLEST} examples; give a domain the role meta_dev, or "
            raise bad(self.request.where, f"tasks.{task}.budgets", min(budgets), mend + "write `rates: given`")
