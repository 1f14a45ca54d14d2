"""A structure of TAMS that reads as far as any, set from outside."""

from __future__ import annotations

import torch

from harness.adaptations.tams_cell import OPERATIONS, Structure
from harness.adaptations.tams_pass import controller_of
from harness.backbone.backbone import Backbone

SPREAD_OUT: Structure = ("conv5", "conv3", "conv5", "conv3", "conv5", "conv3", "conv5", "conv3", "conv5")


def set_structure(backbone: Backbone, structure: Structure = SPREAD_OUT) -> None:
    """Let the controller choose `structure` whatever it sees."""
    controller = controller_of(backbone)
    with torch.no_grad():
        controller.second.zero_()
        controller.second_bias.zero_()
        for edge, operation in enumerate(structure):
            controller.second_bias[edge, OPERATIONS.index(operation)] = 5.0
