"""The private part of customized MAML, and how its connections are chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.contracts.method import Train
from harness.learn.batches import Batch
from harness.meta.gradient import adapted
from harness.meta.inner import Losses, Values
from harness.meta.tasks import TaskLosses


class Private(nn.Module):
    """y -> y + gate * p(y), gate = sigmoid(G y + H p(y) + b), p an MLP whose pruned connections are zero.

    The last layer starts at zero, so the module starts as the identity.
    """

    def __init__(self, width: int, hidden: Sequence[int]) -> None:
        super().__init__()
        shapes = list(pairwise([width, *hidden, width]))
        drawn = [torch.randn(outputs, inputs) / math.sqrt(inputs) for inputs, outputs in shapes[:-1]]
        last = torch.zeros(width, shapes[-1][0])
        self.weights = nn.ParameterList([*drawn, last])
        for place, weight in enumerate(self.weights):
            self.register_buffer(f"mask_{place}", torch.ones_like(weight))
        self.gate_shared = nn.Parameter(torch.zeros(width, width))
        self.gate_private = nn.Parameter(torch.zeros(width, width))
        self.gate_bias = nn.Parameter(torch.zeros(width))

    def forward(self, y: Tensor) -> Tensor:
        private, last = y, len(self.weights) - 1
        for place, (weight, mask) in enumerate(zip(self.weights, self.masks(), strict=True)):
            private = functional.linear(private, weight * mask)
            private = functional.gelu(private) if place < last else private
        gate = functional.linear(y, self.gate_shared, self.gate_bias) + functional.linear(private, self.gate_private)
        return y + gate.sigmoid() * private

    @torch.no_grad()
    def prune(self) -> None:
        """Write zeros in place of pruned connections, of which none is then left to prune."""
        for weight, mask in zip(self.weights, self.masks(), strict=True):
            weight.mul_(mask)
            mask.fill_(1.0)

    def masks(self) -> list[Tensor]:
        """Of each layer, 1 where a connection is kept and 0 where it is pruned."""
        return [getattr(self, f"mask_{place}") for place in range(len(self.weights))]


def select(backbone: Backbone, batches: list[Batch], settings: Train, l1: float, threshold: float) -> None:
    """Set the private part's masks by what inner steps with an L1 penalty, a batch each, would make of its weights."""
    place, private = private_of(backbone)
    weights = [f"added.{place}.weights.{layer}" for layer in range(len(private.weights))]
    unpruned = {f"added.{place}.mask_{layer}": torch.ones_like(its)[None] for layer, its in enumerate(private.masks())}
    start = {name: value.detach()[None] for name, value in backbone.trained().items()}
    losses = with_l1(TaskLosses(backbone, 1, unpruned), weights, l1)
    values = adapted(losses, {}, start, batches, settings)
    kept = kept_connections([values[name][0] for name in weights], threshold)
    for mask, its in zip(private.masks(), kept, strict=True):
        mask.copy_(its)


def with_l1(losses: Losses, names: Sequence[str], weight: float) -> Losses:
    """`losses` plus `weight` times the sum of the absolute values of the parameters `names`, a task at a time."""

    def penalised(body: Values, values: Values, batch: Batch) -> Tensor:
        sizes = torch.stack([values[name].abs().flatten(1).sum(1) for name in names]).sum(0)  # [tasks]
        return losses(body, values, batch) + weight * sizes

    return penalised


def kept_connections(weights: Sequence[Tensor], threshold: float) -> list[Tensor]:
    """Masks of the layers' weights, each [out, in], as 0 and 1.

    A connection is kept where its size is above `threshold` times its layer's root mean square, and the unit
    that it leads to is kept: every output is, and any other unit from which a kept connection leads on.
    """
    kept: list[Tensor] = []
    units = torch.ones(len(weights[-1]), dtype=torch.bool, device=weights[-1].device)
    for weight in reversed(weights):
        strong = weight.abs() > threshold * weight.square().mean().sqrt()
        mask = strong & units.unsqueeze(1)
        units = mask.any(0)
        kept.append(mask.to(weight.dtype))
    return kept[::-1]


def private_of(backbone: Backbone) -> tuple[str, Private]:
    """The private part, and the name under which it was added."""
    return next((name, module) for name, module in backbone.added.items() if isinstance(module, Private))
