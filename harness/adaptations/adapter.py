"""Adapters: a small bottleneck network after sublayers, beside them, or after the last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.contracts.adaptation import Adaptation

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone

Placement = Literal["houlsby", "pfeiffer", "parallel", "last"]


class Adapter(Adaptation):
    """A bottleneck at one of four placements.

    `houlsby`: after every sublayer, before its residual is added (Houlsby et al., 2019, section 2.1).
    `pfeiffer`: after the FFN alone (Pfeiffer et al., 2021). `parallel`: beside the FFN, on what it reads
    (He et al., 2022, section 4). `last`: one, on the body's output, as h(g(f(x))) has it in priming (Gheini
    et al., 2022). Where a norm follows the last layer, as in GPT-2, it belongs to f: the head was pretrained
    to read what is normed, and the adapter changes just that.
    What the bottleneck adds is multiplied by `scale`.
    """

    sized_by: ClassVar[str | None] = "bottleneck"

    bottleneck: int = Field(16, ge=1)
    placement: Placement = "houlsby"
    scale: float = Field(1.0, gt=0)

    def leaves(self, layers: int) -> int:
        return layers if self.placement == "last" else 0

    def attach(self, backbone: Backbone) -> None:
        from harness.adaptations.bottleneck import Bottleneck, Parallel

        size, scale = self.bottleneck, self.scale
        if self.placement == "last":
            final = backbone.final()
            final.after(Bottleneck(final.width, size, scale))
        elif self.placement == "parallel":
            for sublayer in backbone.sublayers("ffn"):
                sublayer.beside(Parallel(sublayer.width, size, scale))
        else:
            for sublayer in backbone.sublayers("all" if self.placement == "houlsby" else "ffn"):
                sublayer.after(Bottleneck(sublayer.width, size, scale))
