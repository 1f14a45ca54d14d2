"""Customized MAML's private part (Song et al., 2020): a gated MLP that each domain prunes for itself."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import cycle, islice, pairwise
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation
from harness.contracts.method import Train
from harness.contracts.model import Strict
from harness.learn.batches import Batch
from harness.meta.gradient import adapted
from harness.meta.inner import Losses, Values
from harness.meta.tasks import TaskLosses

UNLIMITED = 1e9  # a clip that never acts


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

    def masks(self) -> list[Tensor]:
        """Of each layer, 1 where a connection is kept and 0 where it is pruned."""
        return [getattr(self, f"mask_{place}") for place in range(len(self.weights))]


class Select(Strict):
    """How a domain's structure is selected: inner steps with an L1 penalty, then a threshold."""

    steps: int = Field(10, ge=1)
    lr: float = Field(0.1, gt=0)
    l1: float = Field(0.02, ge=0, description="weight of the sum of the private part's absolute values")
    threshold: float = Field(0.5, ge=0, description="a connection is kept above this share of its layer's norm")


class Cmaml(Adaptation):
    """All parameters learn the target, the private part as far as the target's own examples keep it.

    `hidden` are the private MLP's widths between input and output.
    """

    hidden: tuple[int, ...] = Field((128, 107, 85), min_length=1)
    select: Select = Select()

    def attach(self, backbone: Backbone) -> None:
        final = backbone.final()
        final.after(Private(final.width, self.hidden))
        backbone.train_all()

    def observe(self, backbone: Backbone, batches: list[Batch]) -> None:
        """Select the structure: from where the parameters are, which stay there, with nothing pruned yet."""
        place, private = _private(backbone)
        weights = [f"added.{place}.weights.{layer}" for layer in range(len(private.weights))]
        unpruned = {
            f"added.{place}.mask_{layer}": torch.ones_like(its)[None] for layer, its in enumerate(private.masks())
        }
        start = {name: value.detach()[None] for name, value in backbone.trained().items()}
        losses = with_l1(TaskLosses(backbone, 1, unpruned), weights, self.select.l1)
        settings = Train(
            steps=self.select.steps, lr=self.select.lr, optimizer="sgd", schedule="constant", warmup=0, clip=UNLIMITED
        )
        values = adapted(losses, {}, start, list(islice(cycle(batches), self.select.steps)), settings)
        kept = kept_connections([values[name][0] for name in weights], self.select.threshold)
        for mask, its in zip(private.masks(), kept, strict=True):
            mask.copy_(its)

    def finish(self, backbone: Backbone) -> None:
        """Pruned connections become zeros, so that the trained values alone hold the structure."""
        _, private = _private(backbone)
        with torch.no_grad():
            for weight, mask in zip(private.weights, private.masks(), strict=True):
                weight.mul_(mask)
                mask.fill_(1.0)

    def report(self, backbone: Backbone) -> dict[str, Any]:
        """The share of the private connections that is kept, and a fingerprint of which."""
        kept = [weight.detach() != 0 for weight in _private(backbone)[1].weights]
        digest = hashlib.sha256(b"".join(its.cpu().numpy().tobytes() for its in kept))
        share = sum(int(its.sum()) for its in kept) / sum(its.numel() for its in kept)
        return {"kept_share": share, "mask": digest.hexdigest()[:16]}


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


def _private(backbone: Backbone) -> tuple[str, Private]:
    """The private part, and the name under which it was added."""
    return next((name, module) for name, module in backbone.added.items() if isinstance(module, Private))
