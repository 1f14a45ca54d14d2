"""What a plan is asked for: a configuration with its place, the folders discovered, and the cells that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import PROTOCOL
from harness.base.errors import bad
from harness.base.fingerprint import Content
from harness.base.lines import Layers
from harness.contracts.config import RunConfig, Settings, TaskRun
from harness.contracts.discover import Method, TaskFolder, methods, tasks
from harness.contracts.model import one_of
from harness.contracts.paper import PaperSpec
from harness.contracts.papers import papers
from harness.contracts.plan import BackboneJob, DataJob
from harness.plan.papers import named_on


@dataclass(frozen=True)
class Tuning:
    """A search that is asked for, whatever is known of rates: one for all these budgets and seeds together."""

    budgets: list[int]
    seeds: list[int]


@dataclass(frozen=True)
class Request:
    """Given to every planner of a kind of job. `only` keeps the cells of some tasks, methods, domains, ..."""

    config: RunConfig
    where: Layers
    only: dict[str, list[Any]] = field(default_factory=dict)
    tuning: Tuning | None = None
    methods: dict[str, Method] = field(default_factory=methods)
    tasks: dict[str, TaskFolder] = field(default_factory=tasks)
    variants: dict[str, dict[str, list[Method]]] = field(default_factory=dict)  # by task and by their method

    @property
    def output(self) -> Path:
        """The run's folder."""
        return Path(self.config.output)

    def kept(self, axis: str, names: list[Any]) -> list[Any]:
        """`names`, or those of them that `only` asks for."""
        wanted = self.only.get(axis)
        return [name for name in names if wanted is None or name in wanted]

    @cached_property
    def papers(self) -> dict[str, PaperSpec]:
        """The papers of the project, by id."""
        return papers()

    def chosen_methods(self, names: Any, field: str, task: str) -> list[str]:
        """The methods that a field of the configuration names for a task, or that `all` or `papers` stands for.

        Raises UserError where a name is none or stands twice.
        """
        if names in ("all", "papers"):
            for name in self.config.leave_out:
                one_of(name, list(self.methods), self.where, "leave_out")
            named = named_on(task, self.papers.values()) if names == "papers" else set(self.methods)
            chosen = (name for name, method in self.methods.items() if name in named or method.spec.control)
            return [name for name in chosen if name not in self.config.leave_out]
        for place, name in enumerate(names):
            one_of(name, list(self.methods), self.where, field)
            if name in names[:place]:
                raise bad(self.where, field, name, "it stands twice; remove one")
        return list(names)


def levels(request: Request, task: str, run: TaskRun, key: str) -> list[tuple[str, Settings]]:
    """Where a configuration may say settings of methods on a task, each with its field; the last word counts."""
    return [(key, request.config), (f"tasks.{task}.{key}", run)]


def place_of_variants(task: str, run: TaskRun, method: str) -> str:
    """The field that says which variants a method has on a task."""
    return f"tasks.{task}.variants" if method in run.variants else "variants"


@dataclass(frozen=True)
class Ground:
    """What is planned before preparations, searches and blocks: data, their domains' fingerprints, and backbones."""

    request: Request
    data: dict[str, DataJob]
    prints: dict[str, dict[str, str]]
    backbones: dict[str, BackboneJob]


class LaterPlanner:
    """A planner of jobs that come after data and backbones."""

    def __init__(self, ground: Ground) -> None:
        self.request, self.data = ground.request, ground.data
        self.prints, self.backbones = ground.prints, ground.backbones


def computed(content: Mapping[str, Any]) -> str:
    """The fingerprint of what a number is computed from, the harness's own version among it."""
    return computed_from({}).fingerprint(content)


def computed_from(shared: Mapping[str, Any]) -> Content:
    """What many numbers are computed from, the harness's own version among it; each adds what is its own."""
    return Content({"protocol": PROTOCOL} | dict(shared))
