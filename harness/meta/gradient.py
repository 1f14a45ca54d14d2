"""The gradient of the query loss after the inner loop, with regard to the body and the initial values.

First order (Finn et al., 2017, section 5.2): backward at the adapted point, gradients carried to the
initial values. Second order: through the inner loop, either with its whole graph in memory (`store`), or
with one step's at a time, computed again on the way back (`recompute`), so that memory grows by the
adapted values alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness.contracts.method import Train
from harness.learn.batches import Batch
from harness.meta.choices import Memory
from harness.meta.inner import Losses, State, Values, inner_step


@dataclass(frozen=True)
class MetaGradient:
    """The tasks' query losses [tasks], their sum's gradients, and the adapted values [tasks, ...]."""

    losses: Tensor
    body: Values
    start: Values
    adapted: Values


def meta_gradient(
    losses: Losses,
    body: Values,
    start: Values,
    support: Sequence[Batch],
    query: Batch,
    settings: Train,
    order: Literal[1, 2] = 1,
    memory: Memory = "store",
) -> MetaGradient:
    """Run the inner loop on `support` from `start`, and differentiate the loss on `query`.

    `start` is [tasks, ...], equal rows for a start that the tasks share; its gradients are [tasks, ...] too.
    `losses` must give the same numbers when it is asked again.
    """
    body = {name: value.detach().requires_grad_() for name, value in body.items()}
    if order == 1:
        return _first(losses, body, start, support, query, settings)
    through = _stored if memory == "store" else _recomputed
    # Torch's fast attention kernels have no second derivative; its plain one has.
    with sdpa_kernel(SDPBackend.MATH):
        return through(losses, body, start, support, query, settings)


def adapted(losses: Losses, body: Values, start: Values, support: Sequence[Batch], settings: Train) -> Values:
    """The values after the inner loop, of which nothing is kept."""
    state = State.begin(start)
    for step, batch in enumerate(support):
        state = inner_step(losses, body, state, batch, step, settings, keep_graph=False)
    return state.values


def _first(
    losses: Losses, body: Values, start: Values, support: Sequence[Batch], query: Batch, settings: Train
) -> MetaGradient:
    still = {name: value.detach() for name, value in body.items()}
    values = adapted(losses, still, start, support, settings)
    values = {name: value.detach().requires_grad_() for name, value in values.items()}
    found = losses(body, values, query)
    of_body, of_values = _gradients(found.sum(), body, values)
    return MetaGradient(found.detach(), of_body, of_values, values)


def _stored(
    losses: Losses, body: Values, start: Values, support: Sequence[Batch], query: Batch, settings: Train
) -> MetaGradient:
    leaves = {name: value.detach().requires_grad_() for name, value in start.items()}
    state = State.begin(leaves)
    for step, batch in enumerate(support):
        state = inner_step(losses, body, state, batch, step, settings, keep_graph=True)
    found = losses(body, state.values, query)
    of_body, of_start = _gradients(found.sum(), body, leaves)
    return MetaGradient(found.detach(), of_body, of_start, state.detached().values)


def _recomputed(
    losses: Losses, body: Values, start: Values, support: Sequence[Batch], query: Batch, settings: Train
) -> MetaGradient:
    states = [State.begin(start).detached()]
    still = {name: value.detach() for name, value in body.items()}
    for step, batch in enumerate(support):
        states.append(inner_step(losses, still, states[-1], batch, step, settings, keep_graph=False).detached())
    last = {name: value.requires_grad_() for name, value in states[-1].values.items()}
    found = losses(body, last, query)
    of_body, of_values = _gradients(found.sum(), body, last)
    rest = [torch.zeros_like(tensor) for tensor in states[-1].tensors()[len(last) :]]
    behind = [*of_values.values(), *rest]  # the gradient with regard to the state after each step
    for step in reversed(range(len(support))):
        before = states.pop(-2)
        leaves = [tensor.detach().requires_grad_() for tensor in before.tensors()]
        after = inner_step(losses, body, before.replaced(leaves), support[step], step, settings, keep_graph=True)
        pairs = [
            (tensor, gradient) for tensor, gradient in zip(after.tensors(), behind, strict=True) if tensor.requires_grad
        ]
        outputs, weights = [tensor for tensor, _ in pairs], [gradient for _, gradient in pairs]
        wanted = [*leaves, *body.values()]
        gradients = torch.autograd.grad(outputs, wanted, weights, allow_unused=True)
        behind = [_or_zeros(gradient, leaf) for gradient, leaf in zip(gradients, leaves, strict=False)]
        for (name, value), gradient in zip(body.items(), gradients[len(leaves) :], strict=True):
            of_body[name] = of_body[name] + _or_zeros(gradient, value)
    of_start = dict(zip(start, behind, strict=False))
    return MetaGradient(found.detach(), of_body, of_start, {name: value.detach() for name, value in last.items()})


def _gradients(loss: Tensor, body: Values, values: Values) -> tuple[Values, Values]:
    """The gradients with regard to both, zeros where the loss does not depend on one."""
    tensors = {**body, **values}
    gradients = torch.autograd.grad(loss, list(tensors.values()), allow_unused=True)
    found = {
        name: _or_zeros(gradient, value) for (name, value), gradient in zip(tensors.items(), gradients, strict=True)
    }
    return {name: found[name] for name in body}, {name: found[name] for name in values}


def _or_zeros(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient
