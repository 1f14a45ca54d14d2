"""Several tasks in one pass: the body is shared, what the tasks differ in has a leading task axis.

A batch holds the tasks' rows one task after another, [tasks * rows, ...]. Layers that all tasks share see
it as it is, in one product. Every module with a parameter of its own for each task runs once for all of
them under torch.vmap, on the rows split into [tasks, rows, ...].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True)
class Several:
    """How many tasks a pass serves, and which tensors are theirs."""

    tasks: int
    own: frozenset[int]  # the id of each tensor with a task axis

    def axis(self, tensor: Tensor) -> int | None:
        """The task axis of a parameter or buffer, None where all tasks share it."""
        return 0 if id(tensor) in self.own else None

    def split(self, tensor: Tensor) -> Tensor:
        """[tasks * rows, ...] as [tasks, rows, ...]; one row stands for all."""
        if tensor.shape[0] == 1:
            return tensor.expand(self.tasks, *tensor.shape)
        return tensor.reshape(self.tasks, -1, *tensor.shape[1:])


def call_for_each(several: Several, module: nn.Module, inputs: tuple[Tensor, ...], shared: tuple[Tensor, ...]) -> Any:
    """module(*inputs, *shared) for every task.

    `shared` are [tasks, ...]; what a module without inputs gives is [tasks, ...] too.
    """
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    if not any(id(tensor) in several.own for tensor in tensors.values()) and not shared:
        return module(*inputs)

    def one(values: dict[str, Tensor], own: tuple[Tensor, ...]) -> Any:
        return functional_call(module, values, own)

    axes = {name: several.axis(tensor) for name, tensor in tensors.items()}
    arguments = (*(several.split(tensor) for tensor in inputs), *shared)
    given = torch.vmap(one, in_dims=(axes, 0), randomness="different")(tensors, arguments)
    return joined(given) if inputs else given


def joined(given: Any) -> Any:
    """[tasks, rows, ...] as [tasks * rows, ...]."""
    return given.flatten(0, 1) if isinstance(given, Tensor) else tuple(part.flatten(0, 1) for part in given)


@contextmanager
def layers_for_each(model: nn.Module, several: Several) -> Iterator[None]:
    """Let the model's own layers that hold a task's own parameter, as a head or a bias, run once a task."""
    changed: list[nn.Module] = []
    try:
        for module in model.modules():
            # A layer with a forward of its own is one whose weight is computed, and knows of several tasks.
            own = any(id(tensor) in several.own for tensor in module._parameters.values())
            if own and "forward" not in module.__dict__:
                module.__dict__["forward"] = _each(several, module, module.forward)
                changed.append(module)
        yield
    finally:
        for module in changed:
            del module.__dict__["forward"]


def _each(several: Several, module: nn.Module, before: Callable[..., Any]) -> Callable[..., Any]:
    def one(values: Mapping[str, Tensor], inputs: tuple[Tensor, ...]) -> Any:
        # By hand: functional_call would run the module's hooks, which belong to the pass as a whole.
        kept = dict(module._parameters)
        module._parameters.update(values)  # type: ignore[arg-type]
        try:
            return before(*inputs)
        finally:
            module._parameters.update(kept)

    def forward(*inputs: Tensor) -> Any:
        tensors = {name: tensor for name, tensor in module._parameters.items() if tensor is not None}
        axes = {name: several.axis(tensor) for name, tensor in tensors.items()}
        split = tuple(several.split(tensor) for tensor in inputs)
        return joined(torch.vmap(one, in_dims=(axes, 0), randomness="different")(tensors, split))

    return forward
