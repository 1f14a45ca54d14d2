"""Customized MAML (Song et al., 2020): meta-learning in three phases, the last within structures that domains chose."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Self

from pydantic import Field, field_validator

from harness.contracts.method import Kind
from harness.contracts.preparation import Passes, Preparation, Range
from harness.contracts.task import Role
from harness.prepare.meta import Inner, Meta

if TYPE_CHECKING:
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

    def passes(self, domains: int) -> list[Passes]:
        """A domain's structure is selected in about as many steps as its support examples fill."""
        size = self.meta.inner.batch_size
        return [*self.meta.passes(domains), Passes(domains * ceil(self.support / size), size, mixed=True)]

    def prepare(self, workshop: Workshop) -> None:
        from harness.prepare.selective import Selective

        first = round(self.unpruned * self.meta.outer.iterations)
        self.meta.learn(workshop, partial(Selective, first=first, support=self.support))
