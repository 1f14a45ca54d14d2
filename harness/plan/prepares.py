"""Plans a preparation: a checkpoint for each seed and, where it is per domain, for each target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.base.errors import bad
from harness.base.fingerprint import fingerprint
from harness.contracts.adaptation import sizes_of
from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.plan import SHORT, BackboneJob, Prepared, PrepareJob, TaskPlan
from harness.contracts.preparation import Preparation
from harness.parts.build import adaptations_of
from harness.plan.request import Ground, LaterPlanner, computed
from harness.plan.settings import preparation_settings, wanted_share


class PreparePlanner(LaterPlanner):
    """Makes the preparation jobs, from data, their fingerprints and backbones; methods that share one share its job."""

    def __init__(self, ground: Ground) -> None:
        self.request, self.data, self.prints, self.backbones = (
            ground.request,
            ground.data,
            ground.prints,
            ground.backbones,
        )
        self.jobs: dict[str, PrepareJob] = {}  # by their marks

    def plan(self, method: Method, task: str, plan: TaskPlan, run: TaskRun) -> PrepareJob | None:
        """The job that a method needs on a task, None where it needs none."""
        preparation = preparation_settings(self.request, method, task, run)
        if preparation is None:
            return None
        # Building adaptations imports torch, which a preparation of the backbone alone does not need here.
        if preparation.uses_adaptation and (mend := preparation.refuses(adaptations_of(method))):
            raise bad(method.folder / "method.yaml", "prepare", method.spec.preparation[0], mend)
        targets = self.request.kept("domain", plan.domains) if preparation.per_domain else [None]
        seeds = self.request.kept("seed", list(self.request.config.seeds))
        places = [(target, seed) for target in targets for seed in seeds]
        return self._job(method, task, plan, run, preparation, places)

    def beside(
        self,
        job: PrepareJob,
        method: Method,
        task: str,
        plan: TaskPlan,
        run: TaskRun,
        wanted: Sequence[tuple[str, int]],
    ) -> list[PrepareJob]:
        """A job for the checkpoints that a search begins with where the run's own job makes no such; else none."""
        preparation = preparation_settings(self.request, method, task, run)
        assert preparation is not None  # it has a job
        made = {(part.target, part.seed) for part in job.parts}
        places = [(domain if preparation.per_domain else None, seed) for domain, seed in wanted]
        lacking = [place for place in dict.fromkeys(places) if place not in made]
        return [self._job(method, task, plan, run, preparation, lacking)] if lacking else []

    def _job(
        self,
        method: Method,
        task: str,
        plan: TaskPlan,
        run: TaskRun,
        preparation: Preparation,
        places: Sequence[tuple[str | None, int]],
    ) -> PrepareJob:
        name = method.spec.preparation[0]
        own = preparation.uses_adaptation
        wanted = wanted_share(self.request, method, run) if own and sizes_of(adaptations_of(method)) else None
        parts = [self._part(method, task, plan, preparation, wanted, *place) for place in places]
        key = fingerprint([part.fingerprint for part in parts])[:SHORT]
        done = str(self.request.output / "prepared" / task / f"{name}-{key}.json")
        whose = method.id if own else None
        reads = preparation.reads_targets(self.request.tasks[task].spec.kind)
        read = preparation.reads(self.data[task].roles, plan.domains[0] if preparation.per_domain else None)
        sentences, options = preparation.sentences(len(read)), preparation.model_dump()
        job = PrepareJob(name, task, plan.backbone, options, whose, wanted, reads, parts, done, sentences)
        return self.jobs.setdefault(done, job)

    def _part(
        self,
        method: Method,
        task: str,
        plan: TaskPlan,
        preparation: Preparation,
        wanted: float | None,
        target: str | None,
        seed: int,
    ) -> Prepared:
        """One checkpoint, with the fingerprint of what it is made from."""
        name, roles = method.spec.preparation[0], self.data[task].roles
        read = preparation.reads(roles, target)
        content: dict[str, Any] = {
            "preparation": [name, preparation.model_dump()],
            "adapt": [method.spec.adapt, method.code] if preparation.uses_adaptation else None,
            "backbone": self.backbones[plan.backbone].fingerprint,
            "data": {domain: [self.prints[task][domain], roles[domain]] for domain in read},
            "lengths": [plan.max_length, plan.target_length],
            "task": task,
            "seed": seed,
        }
        if wanted is not None:
            content["match_parameters"] = wanted
        key = computed(content)
        folder = self.request.output / "prepared" / task / name / f"{target or 'all'}-s{seed}-{key[:SHORT]}"
        return Prepared(str(folder), key, target, seed)


@dataclass(frozen=True)
class Begin:
    """The checkpoint that a cell begins with; a control needs none."""

    fingerprint: str
    checkpoint: str


def begins_with(makers: Sequence[PrepareJob | BackboneJob], domain: str, seed: int) -> Begin:
    """The checkpoint of a domain and a seed, from the jobs that make such: a preparation's, or a backbone."""
    found: dict[tuple[str | None, int], Begin] = {}
    for maker in makers:
        if isinstance(maker, BackboneJob):
            return Begin(maker.fingerprint, maker.checkpoint)
        found |= {(part.target, part.seed): Begin(part.fingerprint, part.folder) for part in maker.parts}
    return found.get((domain, seed)) or found[None, seed]
