"""How a method trains on a task, resolved once for all that is planned of it: its cells, and searches of rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.contracts.adaptation import Adaptation, Control, sizes_of
from harness.contracts.config import Precision, TaskRun
from harness.contracts.discover import Method
from harness.contracts.method import Train
from harness.contracts.plan import BackboneJob, Origin
from harness.contracts.task_plan import TaskPlan
from harness.parts.build import adaptations_of
from harness.plan.rates import origin_of, tuned_for
from harness.plan.request import Request
from harness.plan.settings import check_training, train_settings, wanted_share


@dataclass(frozen=True)
class Setup:
    """A method on a task; `depends` is what all that it trains depends on, by name, for fingerprints."""

    method: Method
    adaptations: list[Adaptation | Control]
    train: Train
    origin: Origin  # whose word its rate is
    match_parameters: float | None
    sized_by: list[str]
    planned_from: list[Any]
    depends: dict[str, Any]
    precision: Precision

    @property
    def is_control(self) -> bool:
        """Whether it trains nothing of a backbone."""
        return isinstance(self.adaptations[0], Control)


def takes_part(method: Method, plan: TaskPlan) -> bool:
    """Whether a method is for a task, and gives what the task is scored by."""
    spec = method.spec
    return (spec.kinds is None or plan.kind in spec.kinds) and (plan.generates or not spec.texts_alone)


def setup_of(request: Request, method: Method, task: str, plan: TaskPlan, run: TaskRun, backbone: BackboneJob) -> Setup:
    """A method's setup on a task; raises UserError where its settings do not fit."""
    adaptations = adaptations_of(method)
    train = train_settings(request, method, task, run, tuned_for(method, task, run, backbone))
    check_training(method, adaptations, task, train.over(min(plan.budgets)).steps)
    control = isinstance(adaptations[0], Control)
    wanted = None if control or train.idle else wanted_share(request, method, run)
    sized_by = sizes_of(adaptations) if wanted is not None else []
    origin = origin_of(request, method, task, run, backbone) if not train.idle else "none"
    depends: dict[str, Any] = {
        "code": method.code,
        "adapt": {name: part.model_dump() for name, part in zip(method.spec.adapt, adaptations, strict=True)},
        "train": train.model_dump(exclude={method.spec.searched[0]} if origin == "searched" else None),
        "lengths": [plan.max_length, plan.target_length],
        "test_examples": plan.test_examples,
    }
    if plan.generation:
        depends["generation"] = plan.generation
    if plan.labelling:
        depends["labelling"] = plan.labelling
    if plan.generates:  # so that what stands without keeps its name
        depends["generates"] = True
    if sized_by:  # a share that no part can be sized to changes nothing
        depends["match_parameters"] = wanted
    if not control and request.config.precision != "float32":  # so that what stands keeps its name
        depends["precision"] = request.config.precision
    planned_from = [method.code, method.spec.adapt, request.tasks[task].code]
    return Setup(method, adaptations, train, origin, wanted, sized_by, planned_from, depends, request.config.precision)
