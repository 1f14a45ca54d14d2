"""AdapterFusion (Pfeiffer et al., 2021): attention over the adapters of other domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.adaptations.adapter import Adapter
from harness.contracts.adaptation import Adaptation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.backbone.backbone import Backbone


class AdapterFusion(Adaptation):
    """One frozen adapter a source domain and a trained attention over them, at each placement.

    The preparation `fusion` trains the adapters and writes the domains' names into the checkpoint, which say
    how many there are. Without it there are `sources` adapters with random weights.
    """

    bottleneck: int = Field(16, ge=1)
    placement: Literal["pfeiffer", "houlsby"] = "pfeiffer"
    sources: int = Field(4, ge=1, description="adapters where no preparation has trained any")
    regularization: float = Field(0.01, ge=0, description="weight of the squared distance of V from the identity")

    def attach(self, backbone: Backbone) -> None:
        from harness.adaptations.fused_adapters import FusedAdapters

        sources = len(adapter_sources(backbone)) or self.sources
        for sublayer in backbone.sublayers("ffn" if self.placement == "pfeiffer" else "all"):
            sublayer.after(FusedAdapters(sublayer.width, self.bottleneck, sources))

    def adapter(self) -> Adapter:
        """The adaptation that trains one source's adapters, at the same places."""
        return Adapter(bottleneck=self.bottleneck, placement=self.placement)

    def penalty(self, backbone: Backbone) -> Tensor | None:
        import torch

        from harness.adaptations.fused_adapters import FusedAdapters

        if not self.regularization:
            return None
        distances = [
            (module.value - torch.eye(len(module.value), device=module.value.device)).square().sum()
            for module in backbone.added.values()
            if isinstance(module, FusedAdapters)
        ]
        return self.regularization * torch.stack(distances).sum()


def adapter_sources(backbone: Backbone) -> list[str]:
    """The domains that the checkpoint's adapters were trained on; none where none were."""
    return list(getattr(backbone.model.config, "adapter_sources", []))
