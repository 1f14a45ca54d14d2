"""Adapters (Houlsby et al., 2019)."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation


class Bottleneck(nn.Module):
    """x -> x + up(gelu(down(x))), with `up` zero at the start, so it starts as the identity."""

    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(bottleneck, width) * 0.02)
        self.down_bias = nn.Parameter(torch.zeros(bottleneck))
        self.up = nn.Parameter(torch.zeros(width, bottleneck))
        self.up_bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.gelu(functional.linear(x, self.down, self.down_bias))
        return x + functional.linear(inner, self.up, self.up_bias)


class Adapter(Adaptation):
    """A bottleneck after every sublayer, before its residual is added (Houlsby et al., 2019, section 2.1)."""

    sized_by: ClassVar[str | None] = "bottleneck"

    bottleneck: int = 16

    def attach(self, backbone: Backbone) -> None:
        for sublayer in backbone.sublayers():
            sublayer.after(Bottleneck(sublayer.width, self.bottleneck))
