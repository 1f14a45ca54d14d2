"""NAME: say here what it is and which paper and equation it comes from."""

import torch
from torch import Tensor, nn

from harness.backbone.backbone import Backbone, Targets
from harness.contracts.adaptation import Adaptation


class Scale(nn.Module):
    """x -> x W diag(s) for a frozen W is what we add; with s = 0 at first, the backbone starts unchanged.

    A module is a pure function of its parameters and its input. It keeps no state and edits nothing,
    so that the same module can serve inside a meta-learning loop.
    """

    def __init__(self, dense: nn.Module, out_features: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(out_features))
        self.read = [dense]  # in a list, so that the frozen layer is not counted as ours

    def forward(self, x: Tensor) -> Tensor:
        return self.read[0].forward(x) * self.scale


class ScaledOutput(Adaptation):
    """The harness builds this from `adapt:` in method.yaml; the fields below are its options."""

    targets: Targets = "ffn"  # query_value, attention, ffn or all

    def attach(self, backbone: Backbone) -> None:
        """Called once a cell, before training.

        The body arrives frozen and a new task head trains. What is added here trains too; then the
        harness trains for `train.steps` steps, predicts the test examples and writes the record.
        The backbone offers `dense_layers(targets)`, `sublayers()`, `attentions()`, `biases()` and
        `train_all()`, by the same names for every architecture.
        """
        for dense in backbone.dense_layers(self.targets):
            dense.add(Scale(dense.module, dense.out_features))
