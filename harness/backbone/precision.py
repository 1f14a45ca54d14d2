"""The frozen dense layers of a backbone in half precision; what trains, and what is between them, stays in float32."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from harness.backbone.backbone import Backbone, best_device

ROWS, WIDTH, TURNS = 512, 1024, 5  # of the products that are timed


class RoundedLinear(nn.Linear):
    """y = W x + b with W and x in bfloat16; the product comes back in the type of x, and the bias is added there."""

    def forward(self, x: Tensor) -> Tensor:
        return _with_bias(functional.linear(x.bfloat16(), self.weight), x, self.bias)


class RoundedConv1D(Conv1D):
    """The same for the layer that GPT-2 stores transposed."""

    def forward(self, x: Tensor) -> Tensor:
        return _with_bias(x.bfloat16() @ self.weight, x, self.bias)


ROUNDED: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: RoundedLinear, Conv1D: RoundedConv1D}


def round_frozen(backbone: Backbone) -> None:
    """Let every dense layer of the body whose weight is frozen multiply in bfloat16.

    Residuals, norms, attention, the logits and all that adaptations added stay in float32, and so do layers whose
    product an adaptation makes itself, and those that PEFT took into its own.
    """
    others = {id(getattr(module, "base_layer", None)) for module in backbone.modules()}
    for dense in backbone.dense_layers("all"):
        module = dense.module
        weight = module._parameters["weight"]
        if id(module) in others or "forward" in module.__dict__ or weight is None or weight.requires_grad:
            continue
        if type(module) in ROUNDED:
            module._parameters["weight"] = nn.Parameter(weight.detach().bfloat16(), requires_grad=False)
            module.__class__ = ROUNDED[type(module)]  # the hooks, and who holds the module, stay


def bfloat16_speed() -> float:
    """How many times as fast as in float32 this machine multiplies in bfloat16; measured in a moment."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        one = torch.ones(ROWS, WIDTH, dtype=dtype, device=best_device())
        other = torch.ones(WIDTH, WIDTH, dtype=dtype, device=best_device())
        seconds[dtype] = min(_seconds(one, other) for _ in range(TURNS))
    return seconds[torch.float32] / seconds[torch.bfloat16]


def _seconds(one: Tensor, other: Tensor) -> float:
    begin = time.perf_counter()
    float((one @ other)[0, 0])  # a GPU has then done it
    return time.perf_counter() - begin


def _with_bias(product: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    product = product.to(x.dtype)
    return product if bias is None else product + bias
