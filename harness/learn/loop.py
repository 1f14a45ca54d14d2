"""The training loop, written once: adaptation, multitask and continued pretraining all run it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.backbone.backbone import Backbone, check_something_trains
from harness.base.errors import Diverged
from harness.base.seeds import derive
from harness.contracts.method import Train
from harness.learn.batches import Batch
from harness.learn.flops import Flops
from harness.learn.resume import Resume


@dataclass(frozen=True)
class Trained:
    """What training did: the loss of the last step, the tokens that were read, and the operations if counted."""

    last_loss: float | None
    tokens: int
    flops: int | None = None


def train(
    backbone: Backbone,
    batches: Iterator[Batch],
    settings: Train,
    watch: Callable[[int, float], None] | None = None,
    penalties: Sequence[Callable[[Backbone], Tensor | None]] = (),
    resume: Resume | None = None,
    noise: int | None = None,
    flops: Flops | None = None,
    after_step: Sequence[Callable[[Backbone, int, int], None]] = (),
) -> Trained:
    """Train what `backbone` says trains for `settings.steps` steps; raises Diverged on a loss that is no number.

    Layers below the first that trains compute without dropout (`Backbone.begin_training`).
    `penalties` are added to the loss of the examples, where they give anything; `after_step` are called with
    the steps done and the steps in all, before the step's gradients go. With `resume`, a training that was stopped
    goes on where its state was last kept; what it draws, as dropout, then depends on `noise` and the step alone. With
    `flops`, its operations are counted.
    """
    if resume and noise is None:
        raise ValueError("a training that may be stopped needs `noise`, or its draws depend on where it was")
    if settings.steps == 0:
        return Trained(None, 0)
    check_something_trains(backbone)
    parameters = list(backbone.trained().values())
    optimizer = _optimizer(parameters, settings)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, settings))
    backbone.begin_training()
    tokens, value, begin = 0, 0.0, 0
    state = resume.found() if resume else None
    if state:
        _put_back(state, parameters, optimizer, schedule)
        tokens, begin = state["tokens"], state["step"]
        for _ in range(begin):
            next(batches)  # what was trained on already
            if watch:
                watch(0, 0.0)
    for step in range(begin, settings.steps):
        batch = next(batches)
        if noise is not None:
            torch.manual_seed(derive("noise", noise, step))
        value, read = _backward(backbone, batch, penalties, flops, f"step {step + 1} of {settings.steps}")
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        for act in after_step:
            act(backbone, step + 1, settings.steps)
        optimizer.zero_grad()
        schedule.step()
        tokens += read
        if watch:
            watch(step + 1, value)
        if resume:
            resume.keep(
                step=step + 1,
                tokens=tokens,
                values=[parameter.detach() for parameter in parameters],
                optimizer=optimizer.state_dict(),
                schedule=schedule.state_dict(),
            )
    backbone.eval()
    return Trained(value, tokens, flops.of(tokens) if flops else None)


def _backward(
    backbone: Backbone,
    batch: Batch,
    penalties: Sequence[Callable[[Backbone], Tensor | None]],
    flops: Flops | None,
    where: str,
) -> tuple[float, int]:
    """The gradients of a batch's loss; returns its value and the tokens that were read."""
    read = int(batch["attention_mask"].sum())
    with flops.step(read) if flops else nullcontext():
        loss = _loss(backbone, batch, penalties)
        value = loss.item()
        if not math.isfinite(value):
            raise Diverged(f"the loss is {value} at {where}")
        loss.backward()  # type: ignore[no-untyped-call]
    return value, read


def _loss(backbone: Backbone, batch: Batch, penalties: Sequence[Callable[[Backbone], Tensor | None]]) -> Tensor:
    """The examples' loss and what is added to it."""
    loss: Tensor = backbone(**batch).loss
    for penalty in penalties:
        more = penalty(backbone)
        loss = loss if more is None else loss + more
    return loss


def _put_back(state: dict[str, Any], parameters: list[torch.nn.Parameter], optimizer: Any, schedule: Any) -> None:
    """The state that was kept, into what is trained."""
    with torch.no_grad():
        for parameter, value in zip(parameters, state["values"], strict=True):
            parameter.copy_(value)
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])


def _optimizer(parameters: list[torch.nn.Parameter], settings: Train) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)


def rate(step: int, settings: Train) -> float:
    """The share of the rate at `step`: up over the warmup, then level or linearly down to zero."""
    warmup = round(settings.warmup * settings.steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if settings.schedule == "constant":
        return 1.0
    return (settings.steps - step) / (settings.steps - warmup)
