"""AdapterFusion (Pfeiffer et al., 2021): attention over the adapters of other domains."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from harness.adaptations.adapter import Adapter, Bottleneck
from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation

SPREAD = 0.02  # of new weights, as BERT's


class FusedAdapters(nn.Module):
    """h -> h + V sum_n s_n a_n(h), s = softmax_n((Q h) . (K a_n(h))), over frozen adapters a_n, each without residual.

    The fusion layer of section 3.2. At the start Q is zero and V the identity: h plus the mean of the adapters.
    """

    def __init__(self, width: int, bottleneck: int, sources: int) -> None:
        super().__init__()
        adapters = [Bottleneck(width, bottleneck, residual=False) for _ in range(sources)]
        for adapter in adapters:
            nn.init.normal_(adapter.up, std=SPREAD)  # zeros would leave nothing to choose from
        self.adapters = nn.ModuleList(adapters).requires_grad_(False)
        self.query = nn.Parameter(torch.zeros(width, width))
        self.key = nn.Parameter(torch.randn(width, width) * SPREAD)
        self.value = nn.Parameter(torch.eye(width))

    def forward(self, h: Tensor) -> Tensor:
        outputs = torch.stack([adapter(h) for adapter in self.adapters], dim=-2)  # [..., sources, width]
        # (Q h) . (K a) = (K' Q h) . a: the product with K once, not once a source.
        asked = (h @ self.query.T) @ self.key
        weights = (outputs @ asked.unsqueeze(-1)).softmax(-2)
        return h + (weights * outputs).sum(-2) @ self.value.T


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
        sources = len(adapter_sources(backbone)) or self.sources
        for sublayer in backbone.sublayers("ffn" if self.placement == "pfeiffer" else "all"):
            sublayer.after(FusedAdapters(sublayer.width, self.bottleneck, sources))

    def adapter(self) -> Adapter:
        """The adaptation that trains one source's adapters, at the same places."""
        return Adapter(bottleneck=self.bottleneck, placement=self.placement)

    def penalty(self, backbone: Backbone) -> Tensor | None:
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
