"""The modules of prefix tuning."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
