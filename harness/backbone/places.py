"""Places of a backbone where a module can be put: dense layers, sublayers, attentions, the body's output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.backbone.anatomy import Paths
from harness.backbone.prefix_attention import add_prefix
from harness.base.errors import Unsupported

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


@dataclass(frozen=True)
class Dense:
    """A dense layer of the body: y = W x + b."""

    backbone: Backbone
    name: str
    module: nn.Module
    in_features: int
    out_features: int

    @property
    def weight(self) -> Tensor:
        """W as [out_features, in_features], whichever way the model stores it."""
        weight: Tensor = self.module.weight  # type: ignore[assignment]
        weight = weight.float() if weight.dtype == torch.bfloat16 else weight  # of a frozen layer in half precision
        return weight if isinstance(self.module, nn.Linear) else weight.mT

    def add(self, module: nn.Module, reads_weight: bool = False) -> None:
        """Let the layer give y + module(x), or y + module(x, W), W being [out_features, in_features]."""
        self.backbone.put(self.name, module)

        def change(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            shared = (self._weight_for_each(),) if reads_weight else ()
            more: Tensor = self.backbone.call(module, inputs[0], shared=shared)
            return output + more

        # It is a part of the layer, so it comes before what follows the sublayer, whichever was put first.
        self.module.register_forward_hook(change, prepend=True)

    def _weight_for_each(self) -> Tensor:
        """W, or [tasks, out_features, in_features] in a pass that serves several tasks."""
        weight, several = self.weight, self.backbone.several
        if several is None or several.axis(self.module.weight) == 0:  # type: ignore[arg-type]
            return weight
        return weight.expand(several.tasks, *weight.shape)

    def weigh(self, module: nn.Module) -> None:
        """Let the layer compute with module(W) in the place of W, [out_features, in_features]; the bias stays."""
        self.backbone.put(self.name, module)
        layer: Any = self.module
        # A second module weighs what the first one gave.
        weighers: list[nn.Module] = layer.__dict__.setdefault("weighers", [])
        weighers.append(module)

        def forward(x: Tensor) -> Tensor:
            weight, several = self._weight_for_each(), self.backbone.several
            for weigher in weighers:
                weight = self.backbone.call(weigher, shared=(weight,))
            if several is None:
                return functional.linear(x, weight, layer.bias)
            bias = layer.bias if layer.bias is None or several.axis(layer.bias) == 0 else layer.bias.unsqueeze(0)
            y = several.split(x).flatten(1, -2) @ weight.mT
            return (y if bias is None else y + bias.unsqueeze(1)).reshape(*x.shape[:-1], -1)

        layer.forward = forward


@dataclass(frozen=True)
class Sublayer:
    """The output of an attention or FFN sublayer, before the residual is added."""

    backbone: Backbone
    name: str
    first: nn.Module  # the dense layer that reads the sublayer's input
    module: nn.Module  # the dense layer that gives its output
    width: int

    def after(self, module: nn.Module, through: Callable[[Tensor], Tensor] | None = None) -> None:
        """Let the sublayer give module(y), or through(y) where `module` must be called with more than y."""
        self.backbone.put(self.name, module)
        compute = through or (lambda y: self.backbone.call(module, y))
        self.module.register_forward_hook(lambda _, __, output: compute(output))

    def beside(self, module: nn.Module) -> None:
        """Let the sublayer give y + module(x), x being what the sublayer reads."""
        self.backbone.put(self.name, module)
        read: list[Tensor] = []  # x, from the sublayer's first layer to its last within one pass

        def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            read[:] = inputs[:1]

        self.first.register_forward_pre_hook(keep)
        self.module.register_forward_hook(lambda _, __, output: output + self.backbone.call(module, read.pop()))


@dataclass(frozen=True)
class Final:
    """The body's output, which the head reads."""

    backbone: Backbone
    module: nn.Module
    width: int

    def after(self, module: nn.Module) -> None:
        """Let the body give module(y)."""
        self.backbone.put("final", module)

        def change(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
            if isinstance(output, Tensor):
                return self.backbone.call(module, output)
            return (self.backbone.call(module, output[0]), *output[1:])

        self.module.register_forward_hook(change)


@dataclass(frozen=True)
class Attention:
    """An attention with an entry for further keys and values; `heads` are those of its keys."""

    backbone: Backbone
    name: str
    module: nn.Module
    heads: int
    head_width: int

    def prefix(self, module: nn.Module) -> None:
        """Let every query also attend to module() = (keys, values), each [heads, length, head_width]."""
        self.backbone.put(self.name, module)
        add_prefix(self.backbone.model, self.module, lambda: self.backbone.call(module))


def first_of(parent: nn.Module, paths: Paths) -> nn.Module | None:
    """The first of the modules at `paths` that there is."""
    for path in (paths,) if isinstance(paths, str) else paths:
        place: Any = parent
        for name in path.split("."):
            place = getattr(place, name, None)
        if isinstance(place, nn.Module):
            return place
    return None


def needed(parent: nn.Module, paths: Paths) -> nn.Module:
    """The first of the modules at `paths`; raises Unsupported where there is none."""
    found = first_of(parent, paths)
    if found is None:
        raise Unsupported(f"the model has nothing at {paths}, where anatomy.yaml has a dense layer")
    return found


def without_peft(module: nn.Module) -> nn.Module:
    """The model's own layer, which PEFT may have put into one of its own."""
    while isinstance(inner := getattr(module, "base_layer", None), nn.Module):
        module = inner
    return module


def features_of(module: nn.Module) -> tuple[int, int]:
    """Input and output width of an nn.Linear, or of the Conv1D that GPT-2 stores transposed."""
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    weight: Tensor = module.weight  # type: ignore[assignment]
    return weight.shape[0], weight.shape[1]
