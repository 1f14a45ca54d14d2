"""One adapter for each meta_train domain, which AdapterFusion composes on the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.adaptations.adapter_fusion import AdapterFusion
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.preparation import OF_ADDED, Passes, Preparation, Range
from harness.contracts.task import Role

if TYPE_CHECKING:
    from harness.prepare.workshop import Workshop


class Fusion(Preparation):
    """Adapters of the meta_train domains, each trained alone on the frozen body (Pfeiffer et al., 2021, section 3.1).

    `head: keep` hands one head from domain to domain and on to the target, which fits domains with the same
    labels; `fresh` draws it anew each time, as the paper does for tasks with different labels. `documents` of
    a language modelling task are a domain's unlabeled text or its train documents.
    """

    steps: int = Field(100, ge=1, description="steps of each domain's adapter")
    batch_size: int = Field(8, ge=1)
    lr: float = Field(1e-2, gt=0)
    head: Literal["keep", "fresh"] = "keep"
    documents: Literal["unlabeled", "train"] = "unlabeled"

    @property
    def uses_adaptation(self) -> bool:
        return True

    @property
    def rates(self) -> dict[str, Range]:
        return {"lr": OF_ADDED}

    def refuses(self, adaptations: Sequence[Adaptation | Control]) -> str | None:
        # The penalty of AdapterFusion is about the fusion, which is not trained here.
        if not any(isinstance(part, AdapterFusion) for part in adaptations):
            return "it trains adapters for the adaptation adapter_fusion; name that under `adapt`"
        return None

    def reads(self, roles: dict[str, Role], target: str | None) -> list[str]:
        return [domain for domain, role in roles.items() if role == "meta_train"]

    def passes(self, domains: int) -> list[Passes]:
        return [Passes(domains * self.steps, self.batch_size, everything=False)]

    def prepare(self, workshop: Workshop) -> None:
        from harness.prepare.sources import train_sources

        train_sources(self, workshop)
