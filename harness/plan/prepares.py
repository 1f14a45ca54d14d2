"""Plans a preparation: a checkpoint for each seed and, where it is per domain, for each target."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.fingerprint import Content, fingerprint
from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.plan import SHORT, Prepared, PrepareJob, TaskPlan
from harness.contracts.preparation import at_rates
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

    def plan(self, setup: PreparationSetup) -> PrepareJob:
        """The job for the checkpoints that the run's cells begin with."""
        seeds = self.request.kept("seed", list(self.request.config.seeds))
        targets = setup.targets(self.request.kept("domain", setup.plan.domains))
        return self._job(setup, [(target, seed) for target in targets for seed in seeds])

    def beside(self, job: PrepareJob, setup: PreparationSetup, wanted: Sequence[tuple[str, int]]) -> list[PrepareJob]:
        """A job for the checkpoints that a search begins with where the run's own job makes no such; else none."""
        made = {(part.target, part.seed) for part in job.parts}
        places = [(target, seed) for domain, seed in wanted for target in setup.targets([domain])]
        lacking = [place for place in dict.fromkeys(places) if place not in made]
        return [self._job(setup, lacking)] if lacking else []

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
