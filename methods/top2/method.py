"""Fine-tuning of the last layers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from harness.base.errors import Unsupported
from harness.contracts.adaptation import Adaptation

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


class Top(Adaptation):
    """The last `layers` layers of the stack that gives the output train, as they were pretrained."""

    layers: int = Field(2, ge=1)

    def leaves(self, layers: int) -> int:
        """All but the last ones."""
        return layers - self.layers

    def attach(self, backbone: Backbone) -> None:
        stack = list(backbone.anatomy.stacks)[-1]
        own = [layer for which, _, layer in backbone.layers() if which == stack]
        if self.layers > len(own):
            raise Unsupported(f"the last {self.layers} layers cannot train: the {stack} has {len(own)}")
        for layer in own[-self.layers :]:
            layer.requires_grad_(True)
