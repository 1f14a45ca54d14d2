"""Whose word a method's rate on a task is: the configuration's, a search's, or a folder's."""

from __future__ import annotations

from harness.contracts.config import TaskRun
from harness.contracts.discover import Method
from harness.contracts.method import Tuned
from harness.contracts.plan import BackboneJob, Origin
from harness.contracts.preparation import Preparation
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
    return "searched" if searches(request, run, backbone) else "method"


def searches(request: Request, run: TaskRun, backbone: BackboneJob) -> bool:
    """Whether rates that nobody told are searched on a task: by the configuration, else on what is not ours."""
    return (run.rates or request.config.rates or ("given" if backbone.own else "search")) == "search"


def preparation_origin(request: Request, method: Method, task: str, run: TaskRun, backbone: BackboneJob) -> Origin:
    """Where the rates of a method's preparation come from.

    The configuration, where it says all of them; else a search of the others, as for a method; else method.yaml.
    """
    preparation = preparation_settings(request, method, task, run)
    if preparation is None:
        return "none"
    if not untold(request, method, task, run, preparation):
        return "given"
    return "searched" if searches(request, run, backbone) else "method"


def untold(request: Request, method: Method, task: str, run: TaskRun, preparation: Preparation) -> list[str]:
    """The rates of a method's preparation that the configuration does not say, in the order of their search."""
    return [name for name in preparation.rates if not says_preparation(request, method, task, run, name)]
