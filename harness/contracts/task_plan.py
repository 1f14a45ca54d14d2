"""How a task takes part in a run, on one of its backbones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts.task import SourceName


@dataclass(frozen=True)
class TaskPlan:
    """How a task takes part in the run."""

    label: str
    folder: str
    kind: str
    metric: str
    direction: str
    source: SourceName
    backbone: str
    budgets: list[int]
    domains: list[str]
    max_length: int
    target_length: int
    test_examples: int | None
    overlap_allowed: bool
    generates: bool = False  # whether replies of dialogues are generated too
    domains_are: str = "fixed"  # or a sample of many, of which intervals then speak
    generation: dict[str, Any] = field(default_factory=dict)  # what the run says in the place of the task
    labelling: dict[str, str] = field(default_factory=dict)  # how words get their tags, where not as they mostly do
    metrics: dict[str, Any] = field(default_factory=dict)  # options of the metrics that have any
    own_metrics: dict[str, str] = field(default_factory=dict)  # of domains that are ranked by another metric
    own_options: dict[str, dict[str, Any]] = field(default_factory=dict)  # of metrics, where they depend on the domain
    judges: dict[str, dict[str, Any]] = field(default_factory=dict)  # the models that judge for a metric, by its name
    others: list[str] = field(default_factory=list)  # the names of the task on further backbones, told by the first

    @property
    def base(self) -> str:
        """The task's own name, that of its folder, which on further backbones is `task@backbone`."""
        return Path(self.folder).name

    def metric_of(self, domain: str) -> str:
        """The metric that ranks methods on a domain."""
        return self.own_metrics.get(domain, self.metric)

    def options_of(self, domain: str) -> dict[str, Any]:
        """The options of metrics on a domain; of a judge its name and what tells it from others, not where it lies."""
        judges = {metric: {name: its[name] for name in ("model", "identity")} for metric, its in self.judges.items()}
        return self.metrics | judges | self.own_options.get(domain, {})

    @property
    def metric_in_words(self) -> str:
        """The task's metric, how words got their tags where not as they mostly do, and which domains have another."""
        others = ", ".join(
            f"{metric} on {domain}" for domain, metric in self.own_metrics.items() if domain in self.domains
        )
        told = "; ".join(f"{name} {value}" for name, value in self.labelling.items())
        notes = "; ".join(part for part in (told, others) if part)
        return f"{self.metric} ({notes})" if notes else self.metric
