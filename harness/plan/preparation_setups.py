"""How a method prepares a backbone on a task, resolved once for its checkpoints and for the search of its rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.base.errors import bad
from harness.contracts.adaptation import sizes_of
from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.plan import BackboneJob, Prepared, PrepareJob
from harness.contracts.preparation import Preparation
from harness.contracts.task import Role
from harness.contracts.task_plan import TaskPlan
from harness.parts.build import adaptations_of
from harness.plan.rates import searches, untold
from harness.plan.request import Request
from harness.plan.settings import preparation_settings, wanted_share


@dataclass(frozen=True)
class PreparationSetup:
    """A method's preparation on a task; `searched` are those of its rates that the run searches."""

    method: Method
    task: str
    plan: TaskPlan
    run: TaskRun
    backbone: BackboneJob
    roles: dict[str, Role]
    preparation: Preparation
    match_parameters: float | None
    searched: list[str]

    @property
    def name(self) -> str:
        """The preparation's."""
        return self.method.spec.preparation[0]

    @property
    def depends(self) -> dict[str, Any]:
        """What every checkpoint depends on beside options, data and seed, by name, for fingerprints."""
        found: dict[str, Any] = {
            "adapt": [self.method.spec.adapt, self.method.code] if self.preparation.uses_adaptation else None,
            "backbone": self.backbone.fingerprint,
            "lengths": [self.plan.max_length, self.plan.target_length],
            "task": self.task,
        }
        if pieces := self.plan.labelling.get("pieces"):  # what a preparation learns from; it tags nothing
            found["pieces"] = pieces
        return found if self.match_parameters is None else found | {"match_parameters": self.match_parameters}

    def targets(self, domains: Sequence[str]) -> Sequence[str | None]:
        """Of which of these domains there are checkpoints of their own; None alone where all share one."""
        return domains if self.preparation.per_domain else [None]

    def shortened(self, share: float) -> PreparationSetup:
        """The same with a share of the steps."""
        return replace(self, preparation=self.preparation.shortened(share))

    def job(self, parts: list[Prepared], done: str, rates_from: str | None) -> PrepareJob:
        """The job that makes these checkpoints."""
        preparation = self.preparation
        read = preparation.reads(self.roles, self.plan.domains[0] if preparation.per_domain else None)
        return PrepareJob(
            name=self.name,
            task=self.task,
            backbone=self.plan.backbone,
            options=preparation.model_dump(),
            method=self.method.id if preparation.uses_adaptation else None,
            match_parameters=self.match_parameters,
            reads_targets=preparation.reads_targets(self.plan.kind),  # type: ignore[arg-type]
            parts=parts,
            done=done,
            sentences=preparation.sentences(len(read)),
            rates_from=rates_from,
            adapt=self.method.adapt if preparation.uses_adaptation else {},
        )


def preparation_setup_of(
    request: Request,
    method: Method,
    task: str,
    plan: TaskPlan,
    run: TaskRun,
    backbone: BackboneJob,
    roles: dict[str, Role],
) -> PreparationSetup | None:
    """A method's preparation on a task, None for one without; raises UserError where it does not fit its adaptation."""
    preparation = preparation_settings(request, method, task, run)
    if preparation is None:
        return None
    wanted = None
    if preparation.uses_adaptation:  # else no adaptation is built here, which imports torch
        parts = adaptations_of(method)
        if mend := preparation.refuses(parts):
            raise bad(method.folder / "method.yaml", "prepare", method.spec.preparation[0], mend)
        wanted = wanted_share(request, method, run) if sizes_of(parts) else None
    rates = untold(request, method, task, run, preparation) if searches(request, run, backbone) else []
    return PreparationSetup(method, task, plan, run, backbone, roles, preparation, wanted, rates)
