"""What TAMS does in a backbone's passes: alpha is drawn once, and every cell reads its stack's mask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.adaptations.tams_cell import Cell, Controller, Structure, gumbel, straight_through, structure_of
from harness.adaptations.tams_memory import Memory, memory_of
from harness.backbone.backbone import Backbone
from harness.base.errors import Unsupported

if TYPE_CHECKING:
    from harness.adaptations.tams import Tams

CONTROLLER = "controller"  # its name in `backbone.added`


class Pass:
    """What the cells of one pass share: alpha, drawn once, and each stack's mask. It keeps nothing afterwards."""

    def __init__(self, options: Tams, backbone: Backbone, controller: Controller) -> None:
        self.options, self.backbone, self.controller = options, backbone, controller
        self.gates: Tensor | Structure | None = None
        self.masks: dict[str, Tensor] = {}  # [batch, tokens] each, earlier tokens of a cache with them
        self.memories: dict[str, Memory] = {}  # of the stacks that read a cache
        stacks = backbone.stacks()
        # An encoder is also called by itself: generation does so.
        outside = {id(module): module for module in [backbone.body, *stacks.values()]}
        for module in outside.values():
            module.register_forward_pre_hook(self._begin)
            module.register_forward_hook(self._end, always_call=True)
        for stack, module in stacks.items():
            module.register_forward_pre_hook(partial(self._read_mask, stack), with_kwargs=True)
        self.owner: nn.Module | None = None

    def through(self, cell: Cell, stack: str, y: Tensor) -> Tensor:
        """What `cell` makes of y, [batch, tokens, features], or of y as some models flatten it, [tokens, features]."""
        if self.controller.bypassed:
            return y
        new = y.reshape(len(self.masks[stack]), -1, y.shape[-1])
        read = self.memories[stack].extended(cell, new) if stack in self.memories else new
        mask = self.masks[stack][:, -read.shape[1] :]
        found: Tensor = self.backbone.call(cell, read, mask, shared=(self.gates,))
        return found[:, -new.shape[1] :].reshape(y.shape)

    def _begin(self, module: nn.Module, _: Any) -> None:
        if self.owner is None or module is self.backbone.body:
            self.owner, self.gates = module, self._draw()

    def _end(self, module: nn.Module, *_: Any) -> None:
        if module is self.owner:
            self.owner, self.gates = None, None
            self.masks.clear()
            self.memories.clear()

    def _draw(self) -> Tensor | Structure:
        """This pass's alpha: explored by noise only where the controller learns, here or in an outer loop."""
        logits: Tensor = self.backbone.call(self.controller)
        if self.options.gates == "soft":
            return logits.softmax(-1)
        learns = logits.requires_grad or self.backbone.explores
        if self.backbone.training and learns:
            logits = logits + gumbel(logits.shape, logits.device)
        if learns or logits.ndim > 2:  # several tasks have a structure each
            return straight_through(logits, self.options.temperature)
        return structure_of(logits)

    def _read_mask(self, stack: str, _: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        mask = options.get("attention_mask", inputs[1] if len(inputs) > 1 else None)
        cache = options.get("past_key_values")
        if cache is not None and self.options.leaks:
            raise Unsupported("TAMS's symmetric convolutions read later tokens, which a cache has not; use_cache=False")
        if mask is not None and mask.ndim != 2:
            raise Unsupported("TAMS needs an attention mask of [batch, tokens]")
        if mask is None:
            ids = options.get("input_ids", inputs[0] if inputs else None)
            new = torch.ones_like(options["inputs_embeds"][..., 0] if ids is None else ids)
            mask = new if cache is None else new[:, :1].expand(-1, cache.get_seq_length() + new.shape[1])
        self.masks[stack] = mask
        if cache is not None:
            self.memories[stack] = memory_of(cache)


def controller_of(backbone: Backbone) -> Controller:
    """The controller that TAMS added to a backbone."""
    found = backbone.added[CONTROLLER]
    assert isinstance(found, Controller)
    return found


def embedded(backbone: Backbone, batch: dict[str, Tensor], embed: str) -> Tensor:
    """The examples' embedding, [batch, tokens, width]."""
    ids, mask = batch["input_ids"], batch["attention_mask"]
    if embed == "paper" and "encoder" in backbone.stacks() and "decoder" in backbone.stacks():
        output: Tensor = backbone.stacks()["encoder"](input_ids=ids, attention_mask=mask).last_hidden_state
        return output
    if embed == "paper":
        table: Any = backbone.body
        tokens: Tensor = table.get_input_embeddings()(ids)
        return tokens
    read: list[Tensor] = []
    stack, _, first = next(backbone.layers())
    hook = first.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    try:
        backbone.stacks()[stack](input_ids=ids, attention_mask=mask)
    finally:
        hook.remove()
    return read[0]


@contextmanager
def without_cells(backbone: Backbone) -> Iterator[None]:
    """The backbone in evaluation and with its cells left out, then as it was."""
    controller, modes = controller_of(backbone), [(module, module.training) for module in backbone.modules()]
    backbone.eval()
    controller.bypassed = True
    try:
        yield
    finally:
        controller.bypassed = False
        for module, mode in modes:
            module.training = mode


def turn_cache_off(model: Any) -> None:
    """Let generation read the whole text at each step: what symmetric convolutions give changes with later tokens."""
    model.config.use_cache = False
    if getattr(model, "generation_config", None) is not None:
        model.generation_config.use_cache = False
