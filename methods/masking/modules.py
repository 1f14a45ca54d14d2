"""The module of masking."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness.adaptations.sparsity import pack_bits, role_of, unpack_bits
from harness.backbone.backbone import Backbone
from harness.backbone.places import Dense
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


def masks_of(backbone: Backbone) -> list[Mask]:
    """The masks that were put into a backbone."""
    return [module for module in backbone.added.values() if isinstance(module, Mask)]
