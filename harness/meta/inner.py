"""The inner loop: the adaptation procedure as a function from initial to adapted values.

It is `harness.learn.loop.train` without in-place steps, so that gradients can pass through it; a parity
test holds the two to the same values. All values carry a leading task axis, [tasks, ...], and every task
takes its own steps: a loss is a vector of one loss a task, whose sum has each task's own gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.contracts.method import Train
from harness.learn.batches import Batch
from harness.learn.schedules import rate

Values = dict[str, Tensor]
Losses = Callable[[Values, Values, Batch], Tensor]  # (body, adapted, batch) -> [tasks]

BETAS, EPSILON = (0.9, 0.999), 1e-8  # AdamW's own, as torch.optim has them


@dataclass(frozen=True)
class State:
    """Where the inner loop stands: the values, and Adam's running means of the gradient and its square."""

    values: Values
    means: Values
    squares: Values

    @staticmethod
    def begin(values: Values) -> State:
        """Before the first step."""
        zeros = {name: torch.zeros_like(value) for name, value in values.items()}
        return State(values, zeros, dict(zeros))

    def tensors(self) -> list[Tensor]:
        """All of them, in a fixed order."""
        return [*self.values.values(), *self.means.values(), *self.squares.values()]

    def replaced(self, tensors: Sequence[Tensor]) -> State:
        """The same state with other tensors, in the order of `tensors`."""
        names, count = list(self.values), len(self.values)
        parts = [dict(zip(names, tensors[at : at + count], strict=True)) for at in range(0, 3 * count, count)]
        return State(*parts)

    def detached(self) -> State:
        """The same numbers, of which nothing is known."""
        return self.replaced([tensor.detach() for tensor in self.tensors()])


def inner_step(
    losses: Losses, body: Values, state: State, batch: Batch, step: int, settings: Train, keep_graph: bool
) -> State:
    """The state after one step of SGD or AdamW; with `keep_graph` it can be differentiated again."""
    values = state.values
    if not keep_graph:
        values = {name: value.detach().requires_grad_() for name, value in values.items()}
    with torch.enable_grad():
        loss = losses(body, values, batch).sum()
        gradients = torch.autograd.grad(loss, list(values.values()), create_graph=keep_graph, allow_unused=True)
    found = {
        name: torch.zeros_like(value) if gradient is None else gradient
        for (name, value), gradient in zip(values.items(), gradients, strict=True)
    }
    with torch.set_grad_enabled(keep_graph):
        return _updated(state if keep_graph else state.detached(), _clipped(found, settings.clip), step, settings)


def _clipped(gradients: Values, largest: float) -> Values:
    """Each task's gradients, scaled down where their common norm is above `largest`."""
    squares = [gradient.flatten(1).square().sum(1) for gradient in gradients.values()]
    norm = torch.stack(squares).sum(0).clamp_min(1e-30).sqrt()
    scale = (largest / (norm + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grad_norm_
    return {name: gradient * _aligned(scale, gradient) for name, gradient in gradients.items()}


def _updated(state: State, gradients: Values, step: int, settings: Train) -> State:
    """SGD, or AdamW (Loshchilov and Hutter, 2019, algorithm 2), with the schedule's rate at `step`."""
    lr = settings.lr * rate(step, settings)
    values, means, squares = {}, {}, {}
    for name, value in state.values.items():
        gradient = gradients[name]
        if settings.optimizer == "sgd":
            gradient = gradient + settings.weight_decay * value
            values[name], means[name], squares[name] = value - lr * gradient, state.means[name], state.squares[name]
            continue
        mean = BETAS[0] * state.means[name] + (1 - BETAS[0]) * gradient
        square = BETAS[1] * state.squares[name] + (1 - BETAS[1]) * gradient.square()
        corrected = mean / (1 - BETAS[0] ** (step + 1))
        # A square of exactly zero has no finite derivative of its root, and no gradient to pass either.
        root = (square / (1 - BETAS[1] ** (step + 1))).clamp_min(1e-30).sqrt()
        values[name] = value * (1 - lr * settings.weight_decay) - lr * corrected / (root + EPSILON)
        means[name], squares[name] = mean, square
    return State(values, means, squares)


def _aligned(scale: Tensor, like: Tensor) -> Tensor:
    return scale.reshape(-1, *[1] * (like.ndim - 1))
