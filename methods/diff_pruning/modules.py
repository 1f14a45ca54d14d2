"""The modules of diff pruning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness.adaptations.sparsity import role_of
from harness.backbone.backbone import Backbone
from harness.backbone.places import Dense
from harness.learn.save import Packed

START = 5.0  # log alpha at the start: a gate is open with a probability of 0.99
DECIDED = 1000.0  # log alpha of a gate that stays open, less it of one that stays shut, whatever noise is drawn


@dataclass(frozen=True)
class HardConcrete:
    """The distribution of a gate: a stretched concrete variable, cut to [0, 1] (Louizos et al., 2018, section 2.2)."""

    low: float
    high: float
    temperature: float

    def sampled(self, log_alpha: Tensor, uniform: Tensor) -> Tensor:
        """Gates from uniform noise in (0, 1) (equations 10 and 11)."""
        noise = torch.log(uniform) - torch.log1p(-uniform)
        return self._cut(torch.sigmoid((noise + log_alpha) / self.temperature))

    def settled(self, log_alpha: Tensor) -> Tensor:
        """Gates without noise, for evaluation (equation 13)."""
        return self._cut(torch.sigmoid(log_alpha))

    def open_probability(self, log_alpha: Tensor) -> Tensor:
        """The probability that a gate is not zero, whose sum is the expected L0 norm (equation 12)."""
        return torch.sigmoid(log_alpha - self.temperature * math.log(-self.low / self.high))

    def _cut(self, concrete: Tensor) -> Tensor:
        return (concrete * (self.high - self.low) + self.low).clamp(0.0, 1.0)


class Difference(Packed):
    """W -> W + gate * change, all [out, in]; changes start at zero, so it starts as nothing."""

    def __init__(self, dense: Dense, law: HardConcrete, gate_rate: float, kept: float) -> None:
        super().__init__()
        self.role, self.law, self.gate_rate, self.kept = role_of(dense), law, gate_rate, kept
        self.changes = nn.Parameter(torch.zeros(dense.out_features, dense.in_features))
        # A step of Adam is as long for every parameter: in these units it is `gate_rate` times as long for a gate.
        self.gates = nn.Parameter(torch.full_like(self.changes, START / gate_rate))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.difference()

    def difference(self) -> Tensor:
        """What is added to the weights: with gates drawn anew in training, without noise in evaluation."""
        if not self.training:
            return self.law.settled(self.log_alpha()) * self.changes
        smallest = torch.finfo(self.changes.dtype).eps
        uniform = torch.rand_like(self.changes) * (1 - 2 * smallest) + smallest
        return self.law.sampled(self.log_alpha(), uniform) * self.changes

    def log_alpha(self) -> Tensor:
        """The gates' location."""
        return self.gates * self.gate_rate

    def settled(self) -> Tensor:
        """The difference without noise."""
        return (self.law.settled(self.log_alpha()) * self.changes).detach()

    @torch.no_grad()
    def settle(self, difference: Tensor) -> None:
        """Become this difference: where it is zero the gates are shut for good, elsewhere open."""
        self.changes.copy_(difference)
        self.gates.copy_(torch.where(difference == 0, -DECIDED, DECIDED) / self.gate_rate)

    def pack(self) -> dict[str, Tensor]:
        flat = self.settled().flatten()
        if flat.is_meta:  # no values, so the share that the projection leaves says how many there will be
            flat = flat[: round(self.kept * flat.numel())]
            return {"places": flat.to(torch.int32), "values": flat}
        places = flat.nonzero().flatten()
        return {"places": places.to(torch.int32), "values": flat[places]}

    def unpack(self, stored: Mapping[str, Tensor]) -> None:
        flat = torch.zeros_like(self.changes).flatten()
        flat[stored["places"].long()] = stored["values"]
        self.settle(flat.reshape(self.changes.shape))


def differences_of(backbone: Backbone) -> list[Difference]:
    """The differences that were put into a backbone."""
    return [module for module in backbone.added.values() if isinstance(module, Difference)]


@torch.no_grad()
def project(backbone: Backbone, kept: float) -> None:
    """Keep the share `kept` of the differences, the largest of all layers together; the others are zero from now on."""
    modules = differences_of(backbone)
    whole = torch.cat([its.settled().flatten() for its in modules])
    largest = whole.abs().topk(round(kept * len(whole))).indices
    projected = torch.zeros_like(whole).index_copy(0, largest, whole[largest])
    for its, part in zip(modules, projected.split([its.changes.numel() for its in modules]), strict=True):
        its.settle(part.reshape(its.changes.shape))
