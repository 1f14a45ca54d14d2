"""Adapters: a small bottleneck network after sublayers, beside them, or after the last layer."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation

Placement = Literal["houlsby", "pfeiffer", "parallel", "last"]


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


class Adapter(Adaptation):
    """A bottleneck at one of four placements.

    `houlsby`: after every sublayer, before its residual is added (Houlsby et al., 2019, section 2.1).
    `pfeiffer`: after the FFN alone (Pfeiffer et al., 2021). `parallel`: beside the FFN, on what it reads
    (He et al., 2022, section 4). `last`: one, on the body's output, as h(g(f(x))) has it in priming (Gheini
    et al., 2022). Where a norm follows the last layer, as in GPT-2, it belongs to f: the head was pretrained
    to read what is normed, and the adapter changes just that.
    What the bottleneck adds is multiplied by `scale`.
    """

    sized_by: ClassVar[str | None] = "bottleneck"

    bottleneck: int = Field(16, ge=1)
    placement: Placement = "houlsby"
    scale: float = Field(1.0, gt=0)

    def attach(self, backbone: Backbone) -> None:
        size, scale = self.bottleneck, self.scale
        if self.placement == "last":
            final = backbone.final()
            final.after(Bottleneck(final.width, size, scale))
        elif self.placement == "parallel":
            for sublayer in backbone.sublayers("ffn"):
                sublayer.beside(Parallel(sublayer.width, size, scale))
        else:
            for sublayer in backbone.sublayers("all" if self.placement == "houlsby" else "ffn"):
                sublayer.after(Bottleneck(sublayer.width, size, scale))
