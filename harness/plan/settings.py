"""The settings of a method on a task: its training, its preparation's options, its share of trained parameters.

The later word counts: method.yaml, tuned.yaml, the configuration for the run, for the run and this method, for the
task, for the task and this method.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.base.errors import UserError, bad
from harness.base.lines import Where
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.config import Settings, TaskRun, merged
from harness.contracts.discover import Method
from harness.contracts.method import Train, Tuned
from harness.contracts.model import one_of, validate
from harness.contracts.preparation import Preparation
from harness.contracts.row import row_name
from harness.contracts.task_plan import TaskPlan
from harness.data.splits import HELD
from harness.parts.build import preparation_of
from harness.parts.offered import preparations
from harness.plan.adapt_settings import check_adapt
from harness.plan.request import Request, levels, place_of_variants


def check_settings(request: Request) -> None:
    """Refuse settings of what does not exist, used by a chosen method or not."""
    places: list[tuple[str, Settings]] = [("", request.config)]
    places += [(f"tasks.{task}.", run) for task, run in request.config.tasks.items()]
    for place, said in places:
        _check_train(request, said.train, f"{place}train")
        _check_prepare(request, said.prepare, f"{place}prepare")
        check_adapt(request, said.adapt, f"{place}adapt")


def _check_train(request: Request, said: Mapping[str, Any], field: str) -> None:
    """Refuse a key of `train` that is neither a field of it nor a method that trains, and values that do not fit."""
    others = [name for name in said if name not in Train.model_fields]
    by_name = [name for name in others if name in request.methods or isinstance(said[name], dict)]
    validate(Train, {name: value for name, value in said.items() if name not in by_name}, request.where, field)
    for name in by_name:
        one_of(name, list(request.methods), request.where, field)
        if not request.methods[name].spec.trains:
            raise bad(request.where, field, name, "the method trains nothing; remove it")
        if not isinstance(said[name], dict):
            mend = f"it is a method's name; write {name}: {{lr: ...}}, or another field of `train`"
            raise bad(request.where, f"{field}.{name}", said[name], mend)
        validate(Train, said[name], request.where, f"{field}.{name}")


def _check_prepare(request: Request, said: Mapping[str, dict[str, Any]], field: str) -> None:
    """Refuse a key of `prepare` that is neither a preparation nor a method with one, and options that it lacks."""
    known = preparations()
    for name, options in said.items():
        one_of(name, [*known, *request.methods], request.where, field)
        its = name if name in known else request.methods[name].spec.preparation[0]
        if its not in known:
            raise bad(request.where, field, name, "the method has no preparation; remove it")
        for option in options:
            one_of(option, list(known[its].model_fields), request.where, f"{field}.{name}")


def train_settings(request: Request, method: Method, task: str, run: TaskRun, tuned: Tuned | None) -> Train:
    """The method's training, then what was tuned for the task and its backbone, then what the configuration says."""
    if not method.spec.trains:
        return method.spec.train
    settings = method.spec.train.model_dump() | (tuned.train if tuned else {})
    _check_together(Train(**settings), method.folder / "method.yaml", "train")
    for field, said in _train_of(request, method, task, run):
        if not said:
            continue
        # A length replaces the other: the nearer word counts, whether it says steps or epochs.
        replaced = {"steps": "epochs", "epochs": "steps"}
        lost = {replaced[name] for name in said if name in replaced}
        kept = {name: value for name, value in settings.items() if name not in lost}
        merged_settings = validate(Train, kept | said, request.where, field)
        settings = merged_settings.model_dump()
        _check_together(merged_settings, request.where, field)
    return Train(**settings)


def _check_together(settings: Train, where: Where, field: str) -> None:
    """Refuse a field that the others leave without effect."""
    if found := settings.contradiction():
        name, value, mend = found
        raise bad(where, f"{field}.{name}", value, mend)


def _train_of(request: Request, method: Method, task: str, run: TaskRun) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the configuration says of a method's training, the word that counts last, each with its field."""
    for field, said in levels(request, task, run, "train"):
        yield field, {name: value for name, value in said.train.items() if name in Train.model_fields}
        if method.base not in Train.model_fields:
            yield f"{field}.{method.base}", said.train.get(method.base, {})


def says_rate(request: Request, method: Method, task: str, run: TaskRun, rate: str) -> bool:
    """Whether the configuration says a method's rate."""
    return any(rate in said for _, said in _train_of(request, method, task, run))


def check_training(method: Method, adaptations: list[Adaptation | Control], task: str, steps: int) -> None:
    """Refuse adaptations that cannot be trained for the task's steps."""
    for name, part in zip(method.spec.adapt, adaptations, strict=True):
        try:
            if isinstance(part, Adaptation):
                part.trained_for(steps)
        except ValueError as error:
            raise UserError(f"{method.folder / 'method.yaml'}: on {task} adapt.{name}.{error}") from None


def check_stopping(request: Request, settings: Train, task: str, plan: TaskPlan) -> None:
    """Refuse early stopping where a budget has no example that can be held out."""
    least = min(plan.budgets)
    if settings.patience is not None and settings.dev == "budget" and least < HELD:
        mend = f"`patience` holds out one of {HELD} examples; take larger budgets, or write `dev: split` beside it"
        raise bad(request.where, f"tasks.{task}.budgets", least, mend)


def check_not_solved(request: Request, method: Method, task: str, run: TaskRun, sized_by: list[str]) -> None:
    """Refuse variants of an option that the wanted share solves, and a value that the configuration gives it."""
    mend = f"`match_parameters` solves it on {task}; remove one of the two"
    for part, options in method.adapt.items():
        for name in options:
            if name in sized_by:
                raise bad(request.where, f"adapt.{method.base}.{part}.{name}", options[name], mend)
    option = row_name(method.id).option
    if option in sized_by:
        field = f"{place_of_variants(task, run, method.base)}.{method.base}.{option}"
        raise bad(request.where, field, method.id, mend)


def points_of(request: Request, settings: Train, method: Method, task: str, run: TaskRun) -> list[int]:
    """The points of a method's training at which it is scored too, the task's word before the run's."""
    said = [(f"tasks.{task}.evaluate_at", run.evaluate_at), ("evaluate_at", request.config.evaluate_at)]
    field, points = next(((field, its) for field, its in said if its is not None), ("", []))
    if settings.idle or not points:
        return []
    length, unit = (settings.steps, "steps") if settings.epochs is None else (settings.epochs, "epochs")
    if max(points) > length:
        mend = f"{method.id} trains for {length} {unit} on {task}; lower it, or give every method one length in `train`"
        raise bad(request.where, field, max(points), mend)
    return sorted(points)


def preparation_settings(request: Request, method: Method, task: str, run: TaskRun) -> Preparation | None:
    """The method's preparation, with the options that the configuration gives it."""
    preparation = preparation_of(method)
    if preparation is None:
        return None
    for field, said in _prepare_of(request, method, task, run):
        options = merged(preparation.model_dump(), said)
        preparation = validate(type(preparation), options, request.where, field)
    if method.prepare:  # a variant's own value counts last
        field = f"{place_of_variants(task, run, method.base)}.{method.base}"
        options = merged(preparation.model_dump(), method.prepare)
        preparation = validate(type(preparation), options, request.where, field)
    return preparation


def _prepare_of(request: Request, method: Method, task: str, run: TaskRun) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the configuration says of a method's preparation, the word that counts last, each with its field."""
    known = preparations()
    for field, said in levels(request, task, run, "prepare"):
        for name in (method.spec.preparation[0], *([] if method.base in known else [method.base])):
            if name in said.prepare:
                yield f"{field}.{name}", said.prepare[name]


def says_preparation(request: Request, method: Method, task: str, run: TaskRun, option: str) -> bool:
    """Whether the configuration says an option of a method's preparation; dotted, where it is one of an option."""

    def says(content: Any, keys: list[str]) -> bool:
        return not keys or (isinstance(content, dict) and keys[0] in content and says(content[keys[0]], keys[1:]))

    return any(says(said, option.split(".")) for _, said in _prepare_of(request, method, task, run))


def wanted_share(request: Request, method: Method, run: TaskRun) -> float | None:
    """The share that shall train: the task's in the configuration, else the run's, else the method's own."""
    wanted = (run.match_parameters, request.config.match_parameters, method.spec.match_parameters)
    return next((share for share in wanted if share is not None), None)
