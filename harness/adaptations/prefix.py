"""Prefix tuning (Li and Liang, 2021)."""

import torch
from pydantic import Field
from torch import Tensor, nn

from harness.backbone.backbone import Backbone
from harness.backbone.places import Attention
from harness.contracts.adaptation import Adaptation


class KeysAndValues(nn.Module):
    """Keys and values, each [heads, length, head width], that do not depend on the input.

    The keys begin apart, with a variance of one: keys that begin alike move alike, and serve as one.
    """

    def __init__(self, heads: int, length: int, head_width: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(heads, length, head_width))
        self.values = nn.Parameter(torch.zeros(heads, length, head_width))

    def forward(self) -> tuple[Tensor, Tensor]:
        return self.keys, self.values


class Trunk(nn.Module):
    """An embedding of each position and the first layer of the MLP: tanh(embedding W), [length, hidden]."""

    def __init__(self, width: int, length: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(length, width))
        self.down = nn.Parameter(torch.randn(hidden, width) / width**0.5)
        self.down_bias = nn.Parameter(torch.zeros(hidden))

    def forward(self) -> Tensor:
        return torch.tanh(self.embedding @ self.down.T + self.down_bias)


class Reparameterized(nn.Module):
    """Keys and values from the MLP's second layer, of which every attention has its own rows.

    [length, hidden] -> [length, 2 * heads * head width] (Li and Liang, 2021, section 4.3). The trunk is one
    for all attentions of a backbone. The values begin at zero, as those that are trained directly do, and the keys
    apart, with the variance of a tanh of standard normal numbers, 0.4.
    """

    def __init__(self, trunk: Trunk, heads: int, head_width: int) -> None:
        super().__init__()
        length, hidden, width = len(trunk.embedding), len(trunk.down), heads * head_width
        self.shape = length, 2, heads, head_width
        self.trunk = trunk
        self.up = nn.Parameter(torch.cat([torch.randn(width, hidden) / hidden**0.5, torch.zeros(width, hidden)]))
        self.up_bias = nn.Parameter(torch.zeros(2 * width))

    def forward(self) -> tuple[Tensor, Tensor]:
        # The trunk runs once an attention: a few rows, and every module stays a function of its own parameters.
        both = (self.trunk() @ self.up.T + self.up_bias).reshape(self.shape)
        keys, values = both.permute(1, 2, 0, 3)
        return keys, values


class Prefix(Adaptation):
    """Keys and values before those of every attention (Li and Liang, 2021, section 4).

    They are trained directly, or, with `hidden`, through an MLP with a hidden layer of that width.
    """

    length: int = Field(8, ge=1)
    hidden: int | None = Field(None, ge=1)

    @property
    def sized_by(self) -> str:  # type: ignore[override]
        """With an MLP its width, which sets nearly all that trains; else the length."""
        return "hidden" if self.hidden else "length"

    def attach(self, backbone: Backbone) -> None:
        trunk = Trunk(backbone.width, self.length, self.hidden) if self.hidden else None
        for attention in backbone.attentions():
            attention.prefix(self._module(attention, trunk))

    def _module(self, attention: Attention, trunk: Trunk | None) -> nn.Module:
        if trunk is None:
            return KeysAndValues(attention.heads, self.length, attention.head_width)
        return Reparameterized(trunk, attention.heads, attention.head_width)
