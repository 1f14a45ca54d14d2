"""Prefix tuning (Li and Liang, 2021)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation


class KeysAndValues(nn.Module):
    """Keys and values, each [heads, length, head width], that do not depend on the input."""

    def __init__(self, heads: int, length: int, head_width: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(heads, length, head_width) * 0.02)
        self.values = nn.Parameter(torch.zeros(heads, length, head_width))

    def forward(self) -> tuple[Tensor, Tensor]:
        return self.keys, self.values


class Prefix(Adaptation):
    """Keys and values before those of every attention (Li and Liang, 2021, section 4), trained directly."""

    sized_by: ClassVar[str | None] = "length"

    length: int = 8

    def attach(self, backbone: Backbone) -> None:
        for attention in backbone.attentions():
            attention.prefix(KeysAndValues(attention.heads, self.length, attention.head_width))
