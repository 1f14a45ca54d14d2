"""Customized MAML's private part (Song et al., 2020): a gated MLP that each domain prunes for itself."""

from __future__ import annotations

import hashlib
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.contracts.adaptation import Adaptation
from harness.contracts.method import Train
from harness.contracts.model import Strict

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone
    from harness.learn.batches import Batch

UNLIMITED = 1e9  # a clip that never acts


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
        from .modules import Private  # what computes stands beside: a plan imports no torch

        final = backbone.final()
        final.after(Private(final.width, self.hidden))
        backbone.train_all()

    def observe(self, backbone: Backbone, batches: list[Batch]) -> None:
        """Select the structure: from where the parameters are, which stay there, with nothing pruned yet."""
        from .modules import select

        settings = Train(
            steps=self.select.steps, lr=self.select.lr, optimizer="sgd", schedule="constant", warmup=0, clip=UNLIMITED
        )
        select(backbone, list(islice(cycle(batches), settings.steps)), settings, self.select.l1, self.select.threshold)

    def finish(self, backbone: Backbone) -> None:
        """Pruned connections become zeros, so that the trained values alone hold the structure."""
        from .modules import private_of

        private_of(backbone)[1].prune()

    def report(self, backbone: Backbone) -> dict[str, Any]:
        """The share of the private connections that is kept, and a fingerprint of which."""
        from .modules import private_of

        kept = [weight.detach() != 0 for weight in private_of(backbone)[1].weights]
        digest = hashlib.sha256(b"".join(its.cpu().numpy().tobytes() for its in kept))
        share = sum(int(its.sum()) for its in kept) / sum(its.numel() for its in kept)
        return {"kept_share": share, "mask": digest.hexdigest()[:16]}
