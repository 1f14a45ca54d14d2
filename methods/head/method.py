"""Head tuning: the row HT of Gheini et al. (2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.contracts.adaptation import Adaptation

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


class Head(Adaptation):
    """The head trains and the body is frozen, which is how every backbone arrives."""

    def leaves(self, layers: int) -> int:
        """The whole body."""
        return layers

    def attach(self, backbone: Backbone) -> None:
        """Nothing to add."""
