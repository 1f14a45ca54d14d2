"""The module of LoRA."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


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
