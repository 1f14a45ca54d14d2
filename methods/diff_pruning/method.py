"""Diff pruning (Guo et al., 2021): a sparse difference is learned and added to the frozen weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.contracts.adaptation import Adaptation, Targets

if TYPE_CHECKING:
    from torch import Tensor

    from harness.backbone.backbone import Backbone


class DiffPruning(Adaptation):
    """A sparse difference of each dense layer's weights (Guo et al., 2021, section 3), cut to `kept` of them."""

    targets: Targets = "all"
    kept: float = Field(0.005, gt=0, le=1, description="the share of the weights that may differ in the end")
    project_at: float = Field(0.5, gt=0, le=1, description="the share of the steps before the mask is fixed")
    l0: float = Field(30.0, ge=0, description="the loss's weight of the expected share of open gates")
    low: float = Field(-1.5, lt=0, description="where the stretched gate begins")
    high: float = Field(1.5, gt=1, description="where the stretched gate ends")
    temperature: float = Field(1.0, gt=0)
    gate_rate: float = Field(100.0, gt=0, description="how much faster gates move than changes")

    def attach(self, backbone: Backbone) -> None:
        from .modules import Difference, HardConcrete  # what computes stands beside: a plan imports no torch

        law = HardConcrete(self.low, self.high, self.temperature)
        for dense in backbone.dense_layers(self.targets):
            dense.weigh(Difference(dense, law, self.gate_rate, self.kept))

    def penalty(self, backbone: Backbone) -> Tensor:
        """`l0` times the expected share of open gates."""
        import torch

        from .modules import differences_of

        open_ = [its.law.open_probability(its.log_alpha()) for its in differences_of(backbone)]
        return self.l0 * torch.stack([its.sum() for its in open_]).sum() / sum(its.numel() for its in open_)

    def after_step(self, backbone: Backbone, step: int, steps: int) -> None:
        from .modules import project

        if step == round(self.project_at * steps):
            project(backbone, self.kept)

    def finish(self, backbone: Backbone) -> None:
        from .modules import project

        project(backbone, self.kept)

    def report(self, backbone: Backbone) -> dict[str, Any]:
        from harness.adaptations.sparsity import sparsity_report

        from .modules import differences_of

        return sparsity_report([(its.role, its.settled() != 0) for its in differences_of(backbone)])
