"""Plans a preparation: a job for each seed, and in it a checkpoint or, where it is per domain, one for each target."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.fingerprint import Content, fingerprint
from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.plan import SHORT, Prepared, PrepareJob
from harness.contracts.preparation import at_rates
from harness.contracts.task_plan import TaskPlan
from harness.plan.preparation_setups import PreparationSetup, preparation_setup_of
from harness.plan.preparation_tunes import PreparationTunePlanner
from harness.plan.request import Ground, LaterPlanner, computed_from


class PreparePlanner(LaterPlanner):
    """Makes the preparation jobs, from data, their fingerprints and backbones; methods that share one share its job."""

    def __init__(self, ground: Ground, searches: PreparationTunePlanner) -> None:
        super().__init__(ground)
        self.searches = searches
        self.jobs: dict[str, PrepareJob] = {}  # by their marks

    def setup(self, method: Method, task: str, plan: TaskPlan, run: TaskRun) -> PreparationSetup | None:
        """A method's preparation on a task, None for one without."""
        base, roles = self.backbones[plan.backbone], self.data[task].roles
        return preparation_setup_of(self.request, method, task, plan, run, base, roles)

    def plan(self, setup: PreparationSetup) -> list[PrepareJob]:
        """The jobs for the checkpoints that the run's cells begin with, one a seed, so that no seed waits for another.

        It is one a seed, not two as of a block: a search waits for the checkpoints of its own seeds alone.
        """
        targets = setup.targets(self.request.kept("domain", setup.plan.domains))
        seeds = self.request.kept("seed", list(self.request.config.seeds))
        return [self._job(setup, [(target, seed) for target in targets]) for seed in seeds]

    def searched_from(
        self, jobs: Sequence[PrepareJob], setup: PreparationSetup, wanted: Sequence[tuple[str, int]]
    ) -> list[PrepareJob]:
        """The jobs that make what a search begins with: of the run's own those that do, and one for what they lack."""
        places = dict.fromkeys((target, seed) for domain, seed in wanted for target in setup.targets([domain]))
        own = [job for job in jobs if any((part.target, part.seed) in places for part in job.parts)]
        made = {(part.target, part.seed) for job in own for part in job.parts}
        lacking = [place for place in places if place not in made]
        return [*own, *([self._job(setup, lacking)] if lacking else [])]

    def _job(self, setup: PreparationSetup, places: Sequence[tuple[str | None, int]]) -> PrepareJob:
        search = self.searches.plan(setup) if setup.searched else None
        options = setup.preparation.model_dump()
        if search:
            options = at_rates(options, dict.fromkeys(setup.searched))  # what they are, the search says
        rates = {"rates": search.fingerprint} if search else {}
        content = computed_from(setup.depends | {"preparation": [setup.name, options]} | rates)
        parts = [self._part(setup, content, target, seed) for target, seed in places]
        key = fingerprint([part.fingerprint for part in parts])[:SHORT]
        done = str(self.request.output / "prepared" / setup.task / f"{setup.name}-{key}.json")
        return self.jobs.setdefault(done, setup.job(parts, done, search.done if search else None))

    def _part(self, setup: PreparationSetup, content: Content, target: str | None, seed: int) -> Prepared:
        """One checkpoint, with the fingerprint of what it is made from: what all of the job are, and its own."""
        read = setup.preparation.reads(setup.roles, target)
        data = {domain: [self.prints[setup.task][domain], setup.roles[domain]] for domain in read}
        key = content.fingerprint({"data": data, "seed": seed})
        folder = f"{self.request.output}/prepared/{setup.task}/{setup.name}/{target or 'all'}-s{seed}-{key[:SHORT]}"
        return Prepared(folder, key, target, seed)
