"""The contract of a task: a distribution of domains with one metric."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness.contracts.method import Kind
from harness.contracts.model import Strict

Role = Literal["meta_train", "meta_dev", "meta_test"]
SourceName = Literal["embedded", "local", "hub"]


class Sizes(Strict):
    """How many examples each split of a domain holds."""

    train: int = Field(ge=1)
    dev: int = Field(ge=1)
    test: int = Field(ge=1)
    unlabeled: int = Field(0, ge=0)


class Source(Strict):
    """Where a task's domains come from, and what each is for."""

    domains: dict[str, Role]
    sizes: Sizes | None = Field(None, description="embedded only: how much is generated")
    folder: str | None = Field(None, description="local only: the folder below HEADSTART_DATA")
    id: str | None = Field(None, description="hub only: the data set")
    revision: str | None = Field(None, description="hub only: the pinned commit")
    columns: dict[str, str] = Field({}, description="hub only: our field names to the data set's")
    configurations: dict[str, str] = Field({}, description="hub only: domain to the data set's configuration")
    verified: bool = Field(True, description="false where the source could not be reached when this was written")

    def roles(self, role: Role) -> list[str]:
        """The domains that have `role`."""
        return [domain for domain, its in self.domains.items() if its == role]


class TaskSpec(Strict):
    """What `tasks/<id>/task.yaml` may say."""

    label: str
    summary: str
    kind: Kind
    metric: str
    direction: Literal["max", "min"]
    version: int = Field(ge=1)
    citation: str
    licence: str
    max_length: int = Field(ge=8, description="longest input in tokens")
    target_length: int = Field(64, ge=4, description="longest output in tokens, where there is one")
    backbone: str = Field(description="the backbone used where the configuration names none")
    budgets: list[int] = Field(description="the budgets used where the configuration names none")
    overlap_allowed: bool = Field(False, description="meta_train and meta_test may share examples, as the paper did")
    sources: dict[SourceName, Source]

    @model_validator(mode="after")
    def _hub_is_pinned(self) -> TaskSpec:
        hub = self.sources.get("hub")
        if hub and (not hub.id or not hub.revision):
            raise ValueError("a hub source needs an id and a pinned revision")
        return self
