"""The settings of a method on a task: its training, its preparation's options, its share of trained parameters."""

from __future__ import annotations

from harness.base.errors import UserError, bad
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.config import TaskRun, merged
from harness.contracts.discover import Method
from harness.contracts.method import Train
from harness.contracts.model import one_of, validate
from harness.contracts.preparation import Preparation
from harness.parts.build import preparation_of
from harness.parts.offered import preparations
from harness.plan.request import Request


def check_prepare(request: Request, task: str, run: TaskRun) -> None:
    """Refuse options of preparations that do not exist, used by a chosen method or not."""
    known = preparations()
    for name, options in run.prepare.items():
        one_of(name, [*known, *request.methods], request.where, f"tasks.{task}.prepare")
        its = name if name in known else request.methods[name].spec.preparation[0]
        if its not in known:
            raise bad(request.where, f"tasks.{task}.prepare", name, "the method has no preparation; remove it")
        for option in options:
            one_of(option, list(known[its].model_fields), request.where, f"tasks.{task}.prepare.{name}")


def train_settings(request: Request, method: Method, task: str, run: TaskRun) -> Train:
    """The method's training, then what was tuned for the task, then what the configuration says."""
    settings = method.spec.train.model_dump()
    if task in method.tuned:
        settings |= method.tuned[task].train
        settings = validate(Train, settings, method.folder / "tuned.yaml", f"{task}.train").model_dump()
    if method.spec.control and settings["steps"] == 0:
        return validate(Train, settings, method.folder / "method.yaml", "train")
    return validate(Train, settings | run.train, request.where, f"tasks.{task}.train")


def check_training(method: Method, adaptations: list[Adaptation | Control], task: str, steps: int) -> None:
    """Refuse adaptations that cannot be trained for the task's steps."""
    for name, part in zip(method.spec.adapt, adaptations, strict=True):
        try:
            if isinstance(part, Adaptation):
                part.trained_for(steps)
        except ValueError as error:
            raise UserError(f"{method.folder / 'method.yaml'}: on {task} adapt.{name}.{error}") from None


def preparation_settings(request: Request, method: Method, task: str, run: TaskRun) -> Preparation | None:
    """The method's preparation with the task's options: for all methods that have it, then for this one."""
    preparation = preparation_of(method)
    if preparation is None:
        return None
    for key in (method.spec.preparation[0], method.id):
        if key in run.prepare:
            options = merged(preparation.model_dump(), run.prepare[key])
            preparation = validate(type(preparation), options, request.where, f"tasks.{task}.prepare.{key}")
    return preparation


def wanted_share(request: Request, method: Method, run: TaskRun) -> float | None:
    """The share that shall train: the task's in the configuration, else the run's, else the method's own."""
    wanted = (run.match_parameters, request.config.match_parameters, method.spec.match_parameters)
    return next((share for share in wanted if share is not None), None)
