"""BitFit (Ben Zaken et al., 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.contracts.adaptation import Adaptation

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


class Bitfit(Adaptation):
    """Every bias of the body trains, those of the norms included."""

    def attach(self, backbone: Backbone) -> None:
        for bias in backbone.biases().values():
            bias.requires_grad_(True)
