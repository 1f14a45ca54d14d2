"""TAMS: a search cell in every FFN, its structure chosen for the task by a controller (Hou et al., 2022)."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from harness.adaptations.tams_cell import EDGES, OPERATIONS, Cell, in_words
from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation

HIDDEN = 128  # of the controller, as in the paper
CONTROLLER = "controller"


class Controller(nn.Module):
    """z -> softmax over the operations of each edge, [edges, operations]; z is kept in the buffer `seen`.

    Two layers, width -> 128 -> edges * operations (section 3.1), and no input: the task's embedding z
    (equation 4) is observed once.
    """

    seen: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        outputs = len(EDGES) * len(OPERATIONS)
        self.register_buffer("seen", torch.zeros(width))
        self.down = nn.Parameter(torch.randn(HIDDEN, width) / math.sqrt(width))
        self.down_bias = nn.Parameter(torch.zeros(HIDDEN))
        self.up = nn.Parameter(torch.randn(outputs, HIDDEN) / math.sqrt(HIDDEN))
        self.up_bias = nn.Parameter(torch.zeros(outputs))

    def forward(self) -> Tensor:
        inner = (self.down @ self.seen + self.down_bias).relu()
        return (self.up @ inner + self.up_bias).reshape(len(EDGES), len(OPERATIONS)).softmax(-1)


def straight_through(probabilities: Tensor, temperature: float) -> Tensor:
    """A draw from Gumbel-softmax, hard in value, with the soft one's gradient (section 2.2)."""
    noise = -torch.log(-torch.log(torch.rand_like(probabilities).clamp(1e-10, 1 - 1e-7)))
    soft = ((probabilities.clamp_min(1e-10).log() + noise) / temperature).softmax(-1)
    return chosen(soft) + soft - soft.detach()


def chosen(probabilities: Tensor) -> Tensor:
    """One-hot rows at the largest of each."""
    return functional.one_hot(probabilities.argmax(-1), probabilities.shape[-1]).to(probabilities.dtype)


class Tams(Adaptation):
    """Cells of inner width `width` after every FFN, before its residual, all with one structure.

    `controller: train` lets the controller learn with the cells on the target's examples; `frozen` leaves it
    as meta-learning made it. `gates: soft` mixes all operations by the controller's probabilities, without
    noise and without a choice. Convolutions in decoders look back alone; `padding: symmetric` lets them see
    the future, as the released code does, and marks the method as leaking.
    """

    sized_by: ClassVar[str | None] = "width"

    width: int = Field(16, ge=1)
    temperature: float = Field(1.0, gt=0)
    controller: Literal["train", "frozen"] = "train"
    gates: Literal["straight_through", "soft"] = "straight_through"
    padding: Literal["causal", "symmetric"] = "causal"
    embedding: Literal["encoder", "tokens"] = Field("encoder", description="where z is read in an encoder-decoder")

    @property
    def leaks(self) -> bool:
        return self.padding == "symmetric"

    def attach(self, backbone: Backbone) -> None:
        controller = Controller(backbone.width)
        controller.requires_grad_(self.controller == "train")
        backbone.put(CONTROLLER, controller)
        drawn: list[Tensor] = []  # the gates of the present pass, the same for all layers
        backbone.model.register_forward_pre_hook(lambda *_: drawn.__setitem__(slice(None), [self._gates(backbone)]))
        for (stack, name, _), sublayer in zip(backbone.layers(), backbone.sublayers("ffn"), strict=True):
            ahead = 2 if stack == "encoder" or self.leaks else 0
            cell = Cell(sublayer.width, self.width, ahead)
            backbone.put(f"{name}.cell", cell)
            mask = backbone.padding_of(stack) if stack == "encoder" else []
            sublayer.module.register_forward_hook(partial(self._after, backbone, cell, drawn, mask))
        # A decoder's convolutions need the tokens before, of which a cached step of generation sees none.
        backbone.model.config.use_cache = False
        generation = getattr(backbone.model, "generation_config", None)
        if generation is not None:
            generation.use_cache = False

    def _after(
        self, backbone: Backbone, cell: Cell, drawn: list[Tensor], mask: list[Tensor], _: Any, __: Any, y: Tensor
    ) -> Any:
        # Generation runs the encoder before the model as a whole: there the gates are not drawn but chosen.
        gates = drawn[0] if drawn and backbone.training else self._gates(backbone)
        return backbone.call(cell, y, *mask, shared=(gates,))

    def _gates(self, backbone: Backbone) -> Tensor:
        probabilities: Tensor = backbone.call(backbone.added[CONTROLLER])
        if self.gates == "soft":
            return probabilities
        return straight_through(probabilities, self.temperature) if backbone.training else chosen(probabilities)

    @torch.no_grad()
    def observe(self, backbone: Backbone, batches: list[dict[str, Tensor]]) -> None:
        """z, the mean over all tokens of the examples' embeddings (equation 4)."""
        was, total, count = backbone.training, torch.zeros(backbone.width, device=backbone.device), 0.0
        backbone.eval()
        for batch in batches:
            mask = batch["attention_mask"].unsqueeze(-1).float()
            total = total + (self._embedded(backbone, batch) * mask).sum((0, 1))
            count += float(mask.sum())
        backbone.train(was)
        controller: Any = backbone.added[CONTROLLER]
        controller.seen = total.to(controller.seen) / max(count, 1.0)

    def _embedded(self, backbone: Backbone, batch: dict[str, Tensor]) -> Tensor:
        if self.embedding == "encoder" and backbone.kind == "summarization":
            output = backbone.model.get_encoder()(batch["input_ids"], attention_mask=batch["attention_mask"])
            hidden: Tensor = output.last_hidden_state
            return hidden
        embedded: Tensor = backbone.model.get_input_embeddings()(batch["input_ids"])
        return embedded

    @torch.no_grad()
    def report(self, backbone: Backbone) -> dict[str, Any]:
        """The structure that predicts."""
        return {"structure": in_words(backbone.added[CONTROLLER]().argmax(-1).tolist())}
