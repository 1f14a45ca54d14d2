"""Prefix tuning (Li and Liang, 2021)."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from harness.backbone.backbone import Attention, Backbone
from harness.contracts.adaptation import Adaptation


class KeysAndValues(nn.Module):
    """Keys and values, each [heads, length, head width], that do not depend on the input."""

    def __init__(self, heads: int, length: int, head_width: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(heads, length, head_width) * 0.02)
        self.values = nn.Parameter(torch.zeros(heads, length, head_width))

    def forward(self) -> tuple[Tensor, Tensor]:
        return self.keys, self.values


class Reparameterized(nn.Module):
    """Keys and values from an embedding a position through an MLP (Li and Liang, 2021, section 4.3).

    [length, width] -> tanh of [length, hidden] -> [length, 2 * heads * head width]. The values begin at
    zero, as those that are trained directly do.
    """

    def __init__(self, heads: int, length: int, head_width: int, hidden: int) -> None:
        super().__init__()
        self.shape = length, 2, heads, head_width
        width = heads * head_width
        self.embedding = nn.Parameter(torch.randn(length, width))
        self.down = nn.Parameter(torch.randn(hidden, width) / width**0.5)
        self.down_bias = nn.Parameter(torch.zeros(hidden))
        self.up = nn.Parameter(torch.cat([torch.randn(width, hidden) * 0.02, torch.zeros(width, hidden)]))
        self.up_bias = nn.Parameter(torch.zeros(2 * width))

    def forward(self) -> tuple[Tensor, Tensor]:
        inner = torch.tanh(self.embedding @ self.down.T + self.down_bias)
        both = (inner @ self.up.T + self.up_bias).reshape(self.shape)
        keys, values = both.permute(1, 2, 0, 3)
        return keys, values


class Prefix(Adaptation):
    """Keys and values before those of every attention (Li and Liang, 2021, section 4).

    They are trained directly, or, with `hidden`, through an MLP of that width for each attention.
    """

    sized_by: ClassVar[str | None] = "length"

    length: int = Field(8, ge=1)
    hidden: int | None = Field(None, ge=1)

    def attach(self, backbone: Backbone) -> None:
        for attention in backbone.attentions():
            attention.prefix(self._module(attention))

    def _module(self, attention: Attention) -> nn.Module:
        if self.hidden is None:
            return KeysAndValues(attention.heads, self.length, attention.head_width)
        return Reparameterized(attention.heads, self.length, attention.head_width, self.hidden)
