"""The modules of adapters."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Bottleneck(nn.Module):
    """x -> scale * up(gelu(down(x))), plus x where it stands in the way; `up` is zero at the start."""

    def __init__(self, width: int, bottleneck: int, scale: float = 1.0, residual: bool = True) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(bottleneck, width) * 0.02)
        self.down_bias = nn.Parameter(torch.zeros(bottleneck))
        self.up = nn.Parameter(torch.zeros(width, bottleneck))
        self.up_bias = nn.Parameter(torch.zeros(width))
        self.scale = scale
        self.residual = residual

    def activation(self, inner: Tensor) -> Tensor:
        return functional.gelu(inner)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.activation(functional.linear(x, self.down, self.down_bias))
        y = functional.linear(inner, self.up, self.up_bias)
        if self.scale != 1.0:
            y = self.scale * y
        return x + y if self.residual else y


class Parallel(Bottleneck):
    """x -> scale * up(relu(down(x))) (He et al., 2022, table 1), which starts at zero as LoRA does."""

    def __init__(self, width: int, bottleneck: int, scale: float) -> None:
        super().__init__(width, bottleneck, scale, residual=False)
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def activation(self, inner: Tensor) -> Tensor:
        return functional.relu(inner)
