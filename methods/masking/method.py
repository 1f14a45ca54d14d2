"""Masking (Zhao et al., 2020): a binary mask over frozen weights is learned; the weights are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from harness.adaptations.sparsity import pack_bits, role_of, sparsity_report, unpack_bits
from harness.backbone.backbone import Backbone, Targets
from harness.backbone.places import Dense
from harness.contracts.adaptation import Adaptation
from harness.learn.save import Packed


class Mask(Packed):
    """W -> W * (score > 0), both [out, in]; the gradient passes the threshold as if it were the identity."""

    def __init__(self, dense: Dense, start: float, masked: float) -> None:
        super().__init__()
        self.role, self.start = role_of(dense), start
        # The sign decides, the distance from zero says how many steps against it a weight survives.
        drawn = torch.rand(dense.out_features, dense.in_features)
        self.scores = nn.Parameter(torch.where(drawn < masked, -start, start))

    def forward(self, weight: Tensor) -> Tensor:
        hard = self.kept().to(self.scores.dtype)
        return weight * (hard + (self.scores - self.scores.detach()))

    def kept(self) -> Tensor:
        """Which weights are kept, [out, in]."""
        return self.scores.detach() > 0

    def pack(self) -> dict[str, Tensor]:
        return {"mask": pack_bits(self.kept())}

    def unpack(self, stored: Mapping[str, Tensor]) -> None:
        self.settle(unpack_bits(stored["mask"], self.scores.shape))

    @torch.no_grad()
    def settle(self, kept: Tensor) -> None:
        """Keep of the scores only on which side of the threshold they are."""
        self.scores.copy_(torch.where(kept, self.start, -self.start))


class Masking(Adaptation):
    """A learned mask over each dense layer's weights, scores thresholded at zero (Zhao et al., 2020, section 3)."""

    targets: Targets = "all"
    start: float = Field(0.1, gt=0, description="the scores' distance from the threshold at the start")
    initial_sparsity: float = Field(0.0, ge=0, lt=1, description="the share of weights masked at random at the start")

    def attach(self, backbone: Backbone) -> None:
        for dense in backbone.dense_layers(self.targets):
            dense.weigh(Mask(dense, self.start, self.initial_sparsity))

    def finish(self, backbone: Backbone) -> None:
        for mask in _masks(backbone):
            mask.settle(mask.kept())

    def report(self, backbone: Backbone) -> dict[str, Any]:
        return sparsity_report([(mask.role, mask.kept()) for mask in _masks(backbone)])


def _masks(backbone: Backbone) -> list[Mask]:
    return [module for module in backbone.added.values() if isinstance(module, Mask)]
