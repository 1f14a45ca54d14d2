"""What a configuration says of the options of methods' adaptations: a paper's rank on one task, another on the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.contracts.config import TaskRun, merged
from harness.contracts.discover import Method
from harness.contracts.model import one_of, validate
from harness.parts.build import adaptations_of
from harness.parts.variants import method_of
from harness.plan.request import Request, levels


def check_adapt(request: Request, said: Mapping[str, dict[str, Any]], field: str) -> None:
    """Refuse a key of `adapt` that is no method, adaptations that it lacks, and options that do not fit them."""
    for name, changes in said.items():
        one_of(name, list(request.methods), request.where, field)
        _check_fit(request, request.methods[name], changes, f"{field}.{name}")


def adapted(request: Request, method: Method, task: str, run: TaskRun) -> Method:
    """The method, or the variant, with the options that the configuration gives its adaptations on a task."""
    said: dict[str, Any] = {}
    base = request.methods[method.base]
    for field, changes in _adapt_of(request, method, task, run):
        said = merged(said, changes)
        _check_fit(request, base, said, field)
    return method_of(method.id, said, request.methods) if said else method


def _adapt_of(request: Request, method: Method, task: str, run: TaskRun) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the configuration says of a method's adaptations, the word that counts last, each with its field."""
    for field, said in levels(request, task, run, "adapt"):
        if method.base in said.adapt:
            yield f"{field}.{method.base}", said.adapt[method.base]


def _check_fit(request: Request, method: Method, changes: Mapping[str, Any], field: str) -> None:
    """Refuse changes of adaptations that the method does not have, or that they do not take."""
    parts = dict(zip(method.spec.adapt, adaptations_of(method), strict=True))
    for part, options in changes.items():
        one_of(part, list(parts), request.where, field)
        validate(type(parts[part]), merged(method.spec.adapt[part], options), request.where, f"{field}.{part}")
