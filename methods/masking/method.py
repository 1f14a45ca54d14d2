"""Masking (Zhao et al., 2020): a binary mask over frozen weights is learned; the weights are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.contracts.adaptation import Adaptation, Targets

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


class Masking(Adaptation):
    """A learned mask over each dense layer's weights, scores thresholded at zero (Zhao et al., 2020, section 3)."""

    targets: Targets = "all"
    start: float = Field(0.1, gt=0, description="the scores' distance from the threshold at the start")
    initial_sparsity: float = Field(0.0, ge=0, lt=1, description="the share of weights masked at random at the start")

    def attach(self, backbone: Backbone) -> None:
        from .modules import Mask  # what computes stands beside, so that no command that only reads imports torch

        for dense in backbone.dense_layers(self.targets):
            dense.weigh(Mask(dense, self.start, self.initial_sparsity))

    def finish(self, backbone: Backbone) -> None:
        from .modules import masks_of

        for mask in masks_of(backbone):
            mask.settle(mask.kept())

    def report(self, backbone: Backbone) -> dict[str, Any]:
        from harness.adaptations.sparsity import sparsity_report

        from .modules import masks_of

        return sparsity_report([(mask.role, mask.kept()) for mask in masks_of(backbone)])
