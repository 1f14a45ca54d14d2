"""Plans a preparation: a checkpoint for each seed and, where it is per domain, for each target."""

from __future__ import annotations

from harness.base.errors import bad
from harness.base.fingerprint import fingerprint
from harness.contracts.adaptation import sizes_of
from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.plan import SHORT, BackboneJob, DataJob, Prepared, PrepareJob, TaskPlan
from harness.contracts.preparation import Preparation
from harness.parts.build import adaptations_of
from harness.plan.request import Request, computed
from harness.plan.settings import preparation_settings, wanted_share


class PreparePlanner:
    """Makes the preparation jobs, from data, their fingerprints and backbones; methods that share one share its job."""

    def __init__(
        self,
        request: Request,
        data: dict[str, DataJob],
        prints: dict[str, dict[str, str]],
        backbones: dict[str, BackboneJob],
    ) -> None:
        self.request, self.data, self.prints, self.backbones = request, data, prints, backbones
        self.jobs: dict[str, PrepareJob] = {}  # by their marks

    def plan(self, method: Method, task: str, plan: TaskPlan, run: TaskRun) -> PrepareJob | None:
        """The job that a method needs on a task, None where it needs none."""
        preparation = preparation_settings(self.request, method, task, run)
        if preparation is None:
            return None
        name = method.spec.preparation[0]
        own = preparation.uses_adaptation
        # Building adaptations imports torch, which a preparation of the backbone alone does not need here.
        if own and (mend := preparation.refuses(adaptations_of(method))):
            raise bad(method.folder / "method.yaml", "prepare", name, mend)
        wanted = wanted_share(self.request, method, run) if own and sizes_of(adaptations_of(method)) else None
        parts = self._parts(method, task, plan, preparation, wanted)
        key = fingerprint([part.fingerprint for part in parts])[:SHORT]
        done = str(self.request.output / "prepared" / task / f"{name}-{key}.json")
        whose = method.id if own else None
        reads = preparation.reads_targets(self.request.tasks[task].spec.kind)
        read = preparation.reads(self.data[task].roles, plan.domains[0] if preparation.per_domain else None)
        sentences, options = preparation.sentences(len(read)), preparation.model_dump()
        job = PrepareJob(name, task, plan.backbone, options, whose, wanted, reads, parts, done, sentences)
        return self.jobs.setdefault(done, job)

    def _parts(
        self, method: Method, task: str, plan: TaskPlan, preparation: Preparation, wanted: float | None
    ) -> list[Prepared]:
        """The checkpoints, each with the fingerprint of what it is made from."""
        name, data = method.spec.preparation[0], self.data[task]
        parts = []
        targets = self.request.kept("domain", plan.domains) if preparation.per_domain else [None]
        for target in targets:
            for seed in self.request.kept("seed", list(self.request.config.seeds)):
                read = preparation.reads(data.roles, target)
                content = {
                    "preparation": [name, preparation.model_dump()],
                    "adapt": [method.spec.adapt, method.code] if preparation.uses_adaptation else None,
                    "backbone": self.backbones[plan.backbone].fingerprint,
                    "data": {domain: [self.prints[task][domain], data.roles[domain]] for domain in read},
                    "lengths": [plan.max_length, plan.target_length],
                    "task": task,
                    "seed": seed,
                }
                if wanted is not None:
                    content["match_parameters"] = wanted
                key = computed(content)
                folder = self.request.output / "prepared" / task / name / f"{target or 'all'}-s{seed}-{key[:SHORT]}"
                parts.append(Prepared(str(folder), key, target, seed))
        return parts
