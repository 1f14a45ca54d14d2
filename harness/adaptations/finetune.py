"""Adaptations that only choose which of the backbone's own parameters train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.contracts.adaptation import Adaptation

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


class Finetune(Adaptation):
    """All parameters train."""

    def attach(self, backbone: Backbone) -> None:
        backbone.train_all()


class Norms(Adaptation):
    """The norms' gains and biases train, beside another adaptation (the released code of Hou et al., 2022)."""

    def attach(self, backbone: Backbone) -> None:
        for parameter in backbone.norms().values():
            parameter.requires_grad_(True)


class Frozen(Adaptation):
    """No parameter trains, not even the head: the backbone as its preparation left it."""

    def leaves(self, layers: int) -> int:
        return layers

    def attach(self, backbone: Backbone) -> None:
        backbone.requires_grad_(False)
