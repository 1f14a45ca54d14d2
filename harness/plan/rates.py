"""Whose word a method's rate on a task is: the configuration's, a search's, or a folder's."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.method import Tuned
from harness.contracts.plan import BackboneJob, Origin
from harness.plan.request import Request
from harness.plan.settings import preparation_settings, says_preparation, says_rate


def tuned_for(method: Method, task: str, run: TaskRun, backbone: BackboneJob) -> Tuned | None:
    """What was tuned on this backbone and task; another's rates are no help, and a name says nothing."""
    entries = method.tuned.get(task, [])
    its = (entry for entry in entries if (entry.identity, entry.source) == (backbone.identity, run.source))
    return next(its, None)


def origin_of(request: Request, method: Method, task: str, run: TaskRun, backbone: BackboneJob) -> Origin:
    """Where the rate of a method that trains comes from.

    The configuration's word counts; else what was tuned on this very backbone; else a search, unless the configuration
    says `rates: given`, or says nothing and the backbone is the project's own; else method.yaml, and boards say so.
    """
    if not method.spec.trains:
        return "none"
    if request.tuning:
        return "searched"
    rate, _, _ = method.spec.searched
    if says_rate(request, method, task, run, rate):
        return "given"
    if tuned_for(method, task, run, backbone):
        return "tuned"
    asked = run.rates or request.config.rates or ("given" if backbone.own else "search")
    return "searched" if asked == "search" else "method"


def preparation_origin(request: Request, method: Method, task: str, run: TaskRun) -> Origin:
    """Where the rates of a method's preparation come from: the configuration, where it says all, else method.yaml."""
    preparation = preparation_settings(request, method, task, run)
    if preparation is None:
        return "none"
    given = all(says_preparation(request, method, task, run, option) for option in rate_options(preparation))
    return "given" if given else "method"


def rate_options(options: BaseModel) -> Iterator[tuple[str, ...]]:
    """The options that are learning rates, as the keys that lead to them: `lr` and what ends in `_lr`."""
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, BaseModel):
            yield from ((name, *rest) for rest in rate_options(value))
        elif (name == "lr" or name.endswith("_lr")) and value is not None:
            yield (name,)
