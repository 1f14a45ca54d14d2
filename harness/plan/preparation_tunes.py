"""Plans the search of a preparation's rates on a task: one job for all methods that prepare alike.

A trial prepares for a share of the steps and then trains as a method does. Where the adaptation takes part in the
preparation that is each method's own; a preparation of the backbone alone may serve several methods, and then it is the
one that is called as the preparation is, else the first by name, whether the run has it or not: so what a run is made
of changes no search. The rate of that training must be known before, and it cannot be searched from checkpoints that
the search is for: it is the configuration's or the tuned one, else what is found from the backbone itself.
"""

from __future__ import annotations

from dataclasses import replace

from harness.contracts.discover import Method
from harness.contracts.plan import SHORT, Line, Place, Prepared, PrepareJob, TuneJob
from harness.contracts.preparation import at_rates, rate_options
from harness.plan.adapt_settings import adapted
from harness.plan.preparation_setups import PreparationSetup, preparation_setup_of
from harness.plan.request import Ground, LaterPlanner, computed
from harness.plan.setups import Setup, setup_of, takes_part
from harness.plan.tunes import TunePlanner, tune_job
from harness.tune.space import AFTER, DOMAINS, SEEDS, SHARE, TRIALS, reached


class PreparationTunePlanner(LaterPlanner):
    """Makes the searches of preparations' rates, and asks for those of what follows."""

    def __init__(self, ground: Ground, tunes: TunePlanner) -> None:
        super().__init__(ground)
        self.tunes = tunes

    def plan(self, setup: PreparationSetup) -> TuneJob:
        """The search of the rates of a preparation that nobody told; a variant takes its method's."""
        if setup.method.base != setup.method.id:
            method = self._adapted(self.request.methods[setup.method.base], setup)
            setup = self._setup(method, setup) or setup
        task, plan = setup.task, setup.plan
        told = replace(self.request, tuning=None)  # a search that is asked for is another one's
        after = setup_of(told, self._followed_by(setup), task, plan, setup.run, setup.backbone)
        budget = self._budget(setup)
        alone = self.tunes.alone(after, task, plan, budget) if after.origin == "searched" else None
        trial = setup.shortened(SHARE)
        domains = self._domains(setup)
        rates = dict(rate_options(trial.preparation))
        lines = [Line(name, *trial.preparation.rates[name], float(f"{rates[name]:g}")) for name in trial.searched]
        key = self._fingerprint(trial, after, alone, lines, budget)
        folder = str(self.request.output / "tune" / task / f"{setup.name}-preparation-{key[:SHORT]}")
        job = tune_job(
            after,
            task=task,
            budgets=[budget],
            reaches=[],
            lines=lines,
            # Those that share a checkpoint follow one another.
            places=[Place(domain, seed, setup.backbone.checkpoint) for seed in SEEDS for domain in domains],
            held_out=self.tunes.held_out(task),
            needs=[setup.backbone.done, *([alone.done] if alone else [])],
            fingerprint=key,
            folder=folder,
            backbone=plan.backbone,
            prepare=self._prepare(trial, folder, key, domains),
            rates_from=alone.done if alone else None,
        )
        return self.tunes.jobs.setdefault(job.done, job)

    def _followed_by(self, setup: PreparationSetup) -> Method:
        """The method whose training follows in the trials."""
        known = (self._adapted(method, setup) for method in self.request.methods.values())
        alike = [method for method in known if self._alike(method, setup)]
        return min(alike, key=lambda method: (method.id != setup.name, method.id))

    def _adapted(self, method: Method, setup: PreparationSetup) -> Method:
        return adapted(self.request, method, setup.task, setup.run)

    def _alike(self, method: Method, setup: PreparationSetup) -> bool:
        """Whether a method prepares as the setup says, so that both have one search and one checkpoint."""
        if method.spec.preparation[0] != setup.name or not takes_part(method, setup.plan):
            return False
        its = self._setup(method, setup)
        both = [(one.preparation, one.searched, one.depends) for one in (its, setup) if one]
        return len(both) == 2 and both[0] == both[1]

    def _setup(self, method: Method, setup: PreparationSetup) -> PreparationSetup | None:
        """How another method prepares in the same place."""
        return preparation_setup_of(
            self.request, method, setup.task, setup.plan, setup.run, setup.backbone, setup.roles
        )

    def _domains(self, setup: PreparationSetup) -> list[str]:
        """The domains that trials are scored on: the first of those of a method's search."""
        return self.tunes.domains(setup.task, setup.plan)[:DOMAINS]

    def _budget(self, setup: PreparationSetup) -> int:
        """The examples that a trial trains on: AFTER of a meta_dev domain; of a target no more than any cell has."""
        budgets = [*setup.plan.budgets, *self.request.tasks[setup.task].spec.budgets]
        return reached(min(budgets)) if self.tunes.held_out(setup.task) else AFTER

    def _prepare(self, trial: PreparationSetup, folder: str, key: str, domains: list[str]) -> PrepareJob:
        """What one trial prepares, at rates that it puts in."""
        places = [(target, seed) for seed in SEEDS for target in trial.targets(domains)]
        parts = [Prepared(f"{folder}/{target or 'all'}-s{seed}", key, target, seed) for target, seed in places]
        return trial.job(parts, folder, None)

    def _fingerprint(
        self, trial: PreparationSetup, after: Setup, alone: TuneJob | None, lines: list[Line], budget: int
    ) -> str:
        """Of what a search finds: not of where the rate stood that is walked over its whole range."""
        task, domains = trial.task, self._domains(trial)
        read = [domain for target in trial.targets(domains) for domain in trial.preparation.reads(trial.roles, target)]
        options = at_rates(trial.preparation.model_dump(), {lines[0].name: None})
        content = {
            "preparation": [trial.name, options, trial.depends],
            "after": {name: value for name, value in after.depends.items() if name != "test_examples"},
            "rate": alone.fingerprint if alone else None,
            "search": [[[line.name, line.low, line.high] for line in lines], TRIALS],
            "data": {domain: [self.prints[task][domain], trial.roles[domain]] for domain in [*domains, *read]},
            "places": [domains, SEEDS],
            "budget": budget,
            "scored": self.tunes.scored(task, trial.plan),
            "metric": [task, trial.plan.metric, trial.plan.metrics],
        }
        return computed(content)
