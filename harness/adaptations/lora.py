"""LoRA (Hu et al., 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.contracts.adaptation import Adaptation, Targets

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


class LoRA(Adaptation):
    """Low-rank additive update of dense layers (Hu et al., 2022, equation 3); `scale` is alpha / r."""

    sized_by: ClassVar[str | None] = "rank"

    rank: int = Field(8, ge=1)
    scale: float = Field(1.0, gt=0)
    targets: Targets = "query_value"

    def attach(self, backbone: Backbone) -> None:
        from harness.adaptations.low_rank import LowRank

        for dense in backbone.dense_layers(self.targets):
            dense.add(LowRank(dense.in_features, dense.out_features, self.rank, self.scale))
