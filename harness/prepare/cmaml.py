"""Customized MAML (Song et al., 2020): meta-learning in three phases, the last within structures that domains chose."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import torch
from pydantic import Field, field_validator

from harness.base.seeds import generator
from harness.contracts.method import Kind
from harness.contracts.preparation import Preparation, Range
from harness.contracts.task import Role
from harness.learn.batches import in_order
from harness.meta.episodes import Episode, tokens_in
from harness.meta.inner import Values
from harness.prepare.meta import Course, Inner, Meta
from harness.prepare.workshop import Workshop


class Cmaml(Preparation):
    """MAML before and after each domain's structure is selected, by what the adaptation observes of it.

    For the share `unpruned` of the meta-iterations everything trains; then the adaptation observes `support`
    examples of each domain, once; from there on a domain's episodes keep to the structure that it got.
    """

    meta: Meta = Meta(inner=Inner(updates="everything"), head="meta")
    unpruned: float = Field(0.5, ge=0, lt=1)
    support: int = Field(32, ge=1)

    @field_validator("meta")
    @classmethod
    def _phases_are_not_cut_short(cls, value: Meta) -> Meta:
        if value.outer.patience is not None:
            raise ValueError("leave out `outer.patience`: the phases of cmaml have a fixed length")
        return value

    @property
    def per_domain(self) -> bool:
        return self.meta.per_domain

    @property
    def uses_adaptation(self) -> bool:
        return True

    @property
    def rates(self) -> dict[str, Range]:
        return {f"meta.{name}": its for name, its in self.meta.rates.items()}

    def shortened(self, share: float) -> Self:
        return self.model_copy(update={"meta": self.meta.shortened(share)})

    def reads_targets(self, kind: Kind) -> bool:
        return self.meta.reads_targets(kind)

    def reads(self, roles: dict[str, Role], target: str | None) -> list[str]:
        return self.meta.reads(roles, target)

    def sentences(self, domains: int) -> int:
        return self.meta.sentences(domains)

    def prepare(self, workshop: Workshop) -> None:
        first = round(self.unpruned * self.meta.outer.iterations)
        self.meta.learn(workshop, partial(Selective, first=first, support=self.support))


class Selective(Course):
    """The outer loop in which each domain's structure is selected before the meta-iteration `first`."""

    def __init__(self, *parts: Any, first: int, support: int) -> None:
        super().__init__(*parts)
        self.first, self.support = first, support

    def seen(self, iteration: int, episodes: list[Episode]) -> Values | None:
        if iteration < self.first:
            return {}  # the buffers as they were attached, with nothing pruned
        if not self.selected:
            self.selected = {name: self._select(name) for name in self.train}
        structures = [self.selected[episode.domain] for episode in episodes]
        return {name: torch.cat([structure[name] for structure in structures]) for name in structures[0]}

    def _select(self, domain: str) -> Values:
        """What the adaptations observe of a domain's examples, as on the target: without dropout."""
        rng = generator(
            "order", "select", self.workshop.name, self.workshop.target or "all", self.workshop.seed, domain
        )
        examples = rng.sample(self.train[domain], min(self.support, len(self.train[domain])))
        backbone = self.learner.backbone
        size, pad = self.meta.inner.batch_size, self.tokenizer.pad_token_id
        batches = list(in_order(examples, size, pad, backbone.device))
        self.tokens += tokens_in(batches)
        backbone.eval()
        structure = self.learner.observed(batches, 1)
        backbone.train()
        return structure
