"""The module of AdapterFusion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.adaptations.bottleneck import Bottleneck

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
