"""TAMS, task-adaptive model structure (Hou et al., 2022, section 2.2)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.contracts.adaptation import Adaptation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.backbone.backbone import Backbone


class Tams(Adaptation):
    """A search cell on every FFN's output before its residual, its structure chosen by a controller (section 2.2).

    One alpha [edges, operations] serves all layers; each layer has cell weights of its own. The convolutions
    of decoders are causal, those of encoders symmetric; `padding: symmetric` makes those of decoders symmetric
    too, as in the released code: they see the future then.
    """

    sized_by: ClassVar[str | None] = "width"

    width: int = Field(64, ge=1)
    padding: Literal["causal", "symmetric"] = "causal"
    gates: Literal["straight_through", "soft"] = "straight_through"
    temperature: float = Field(1.0, gt=0)
    controller: Literal["train", "frozen"] = "train"
    embed: Literal["paper", "first_layer"] = "paper"

    @property
    def leaks(self) -> bool:
        """Symmetric convolutions in a decoder read the next tokens."""
        return self.padding == "symmetric"

    @property
    def slower(self) -> float:
        """Each sublayer's output passes every operation of the cell."""
        return 1.5

    def attach(self, backbone: Backbone) -> None:
        from harness.adaptations.tams_cell import Cell, Controller
        from harness.adaptations.tams_pass import CONTROLLER, Pass, turn_cache_off

        controller = Controller(self._embedded_width(backbone))
        backbone.put(CONTROLLER, controller)
        controller.requires_grad_(self.controller == "train")
        one_pass = Pass(self, backbone, controller)
        for sublayer in backbone.sublayers("ffn"):
            stack = sublayer.name.split(".")[0]
            cell = Cell(sublayer.width, self.width, causal=stack == "decoder" and not self.leaks)
            sublayer.after(cell, partial(one_pass.through, cell, stack))
        if self.leaks:
            turn_cache_off(backbone.model)

    def _embedded_width(self, backbone: Backbone) -> int:
        """How wide the examples' embedding is: as an encoder's or a layer's output, or as the table of tokens."""
        table = self.embed == "paper" and len(backbone.stacks()) == 1
        return backbone.embedded_width if table else backbone.width

    def observe(self, backbone: Backbone, batches: list[dict[str, Tensor]]) -> None:
        """Equation 4: z is the mean embedding of all tokens of the k examples; no gradient passes it."""
        import torch

        from harness.adaptations.tams_pass import controller_of, embedded, without_cells

        controller = controller_of(backbone)
        total, tokens = torch.zeros_like(controller.embedding), 0
        with torch.no_grad(), without_cells(backbone):
            for batch in batches:
                seen = batch["attention_mask"].bool()
                total += embedded(backbone, batch, self.embed)[seen].sum(0)
                tokens += int(seen.sum())
        controller.embedding.copy_(total / tokens)

    def report(self, backbone: Backbone) -> dict[str, Any]:
        """The structure that the controller settled on: an operation for each edge."""
        import torch

        from harness.adaptations.tams_cell import EDGE_NAMES, structure_of
        from harness.adaptations.tams_pass import controller_of

        with torch.no_grad():
            chosen = structure_of(backbone.call(controller_of(backbone)))
        return {"tams_structure": dict(zip(EDGE_NAMES, chosen, strict=True))}
