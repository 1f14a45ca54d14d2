"""LoRA (Hu et al., 2022)."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from harness.backbone.backbone import Backbone, Targets
from harness.contracts.adaptation import Adaptation


class LowRank(nn.Module):
    """x -> scale * B A x with A [rank, in] random and B zero, kept as [rank, out], so it starts as nothing.

    In every product, of the backward pass too, the rank's axis comes first or is summed over: on a CPU a
    product whose result is as narrow as the rank takes up to ten times as long as its transpose.
    """

    def __init__(self, in_features: int, out_features: int, rank: int, scale: float) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, in_features))
        self.up = nn.Parameter(torch.zeros(rank, out_features))
        self.scale = scale
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        # The scale goes onto the narrow side, where it costs least.
        inner = self.down @ x.flatten(0, -2).T * self.scale
        return (inner.T @ self.up).reshape(*x.shape[:-1], -1)


class LoRA(Adaptation):
    """Low-rank additive update of dense layers (Hu et al., 2022, equation 3); `scale` is alpha / r."""

    sized_by: ClassVar[str | None] = "rank"

    rank: int = 8
    scale: float = 1.0
    targets: Targets = "query_value"

    def attach(self, backbone: Backbone) -> None:
        for dense in backbone.dense_layers(self.targets):
            dense.add(LowRank(dense.in_features, dense.out_features, self.rank, self.scale))
