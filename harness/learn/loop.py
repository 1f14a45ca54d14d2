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
from harness.backbone.losses import counted, losses_of
from harness.base.errors import Diverged
from harness.base.seeds import derive
from harness.contracts.method import Train
from harness.learn.batches import Batch, parts
from harness.learn.between import Between
from harness.learn.flops import Flops
from harness.learn.resume import Resume
from harness.learn.schedules import rate

Penalties = Sequence[Callable[[Backbone], Tensor | None]]


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
    penalties: Penalties = (),
    resume: Resume | None = None,
    noise: int | None = None,
    flops: Flops | None = None,
    after_step: Sequence[Callable[[Backbone, int, int], None]] = (),
    between: Sequence[Between] = (),
) -> Trained:
    """Train what `backbone` says trains for `settings.steps` steps; raises Diverged on a loss that is no number.

    Each of `batches` is a step's: with `settings.accumulate` it is read in parts of `settings.batch_size` sentences.
    Layers below the first that trains compute without dropout (`Backbone.begin_training`).
    `penalties` are added to the loss of the examples, where they give anything; `after_step` are called with
    the steps done and the steps in all, before the step's gradients go; `between` look on from outside, and may end it.
    With `resume`, a training that was stopped goes on where its state was last kept; what it draws, as dropout, then
    depends on `noise` and the step alone. With `flops`, its operations are counted.
    """
    if resume and noise is None:
        raise ValueError("a training that may be stopped needs `noise`, or its draws depend on where it was")
    if settings.epochs is not None:
        raise ValueError("a training in epochs is as long as its sentences; say how many with `Train.over`")
    if settings.steps == 0:
        return Trained(None, 0)
    check_something_trains(backbone)
    parameters = list(backbone.trained().values())
    optimizer = _optimizer(parameters, settings)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, settings))
    backbone.begin_training()
    tokens, value, step = 0, 0.0, 0
    state = resume.found() if resume else None
    if state:
        _put_back(state, parameters, optimizer, schedule, between)
        tokens, step = state["tokens"], state["step"]
        _skip(batches, step, watch)
    while not _ended(between, step) and step < settings.steps:
        batch = next(batches)
        if noise is not None:
            torch.manual_seed(derive("noise", noise, step))
        step += 1
        value, read = _backward(backbone, batch, settings, penalties, flops, f"step {step} of {settings.steps}")
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        for act in after_step:
            act(backbone, step, settings.steps)
        optimizer.zero_grad()
        schedule.step()
        tokens += read
        if watch:
            watch(step, value)
        if resume:
            _keep(resume, step, tokens, parameters, optimizer, schedule, between)
    for its in between:
        its.finish()
    backbone.eval()
    return Trained(value, tokens, flops.of(tokens) if flops else None)


def _ended(between: Sequence[Between], step: int) -> bool:
    """Whether one of those that look on ends the training here; all look."""
    looks = [its.look(step) for its in between]
    return any(looks)


def _skip(batches: Iterator[Batch], steps: int, watch: Callable[[int, float], None] | None) -> None:
    """Leave out what was trained on already."""
    for _ in range(steps):
        next(batches)
        if watch:
            watch(0, 0.0)


def _backward(
    backbone: Backbone, batch: Batch, settings: Train, penalties: Penalties, flops: Flops | None, where: str
) -> tuple[float, int]:
    """The gradients of a batch's loss; returns its value and the tokens that were read."""
    read, value = int(batch["attention_mask"].sum()), 0.0
    with flops.step(read) if flops else nullcontext():
        for number, (part, share) in enumerate(_parts(backbone, batch, settings)):
            loss = _loss(backbone, part, settings.label_smoothing) * share
            for penalty in penalties if number == 0 else ():
                more = penalty(backbone)
                loss = loss if more is None else loss + more
            value += loss.item()
            if not math.isfinite(value):
                raise Diverged(f"the loss is {value} at {where}")
            loss.backward()  # type: ignore[no-untyped-call]
    return value, read


def _parts(backbone: Backbone, batch: Batch, settings: Train) -> list[tuple[Batch, float]]:
    """What of a batch is read at once, and its share of the batch's loss, which is a mean over what is labelled."""
    if settings.accumulate == 1:
        return [(batch, 1.0)]
    cut = parts(batch, settings.batch_size)
    counts = [int(counted(backbone.kind, part["labels"]).sum()) for part in cut]
    return [(part, count / max(1, sum(counts))) for part, count in zip(cut, counts, strict=True)]


def _loss(backbone: Backbone, batch: Batch, smoothing: float) -> Tensor:
    """The examples' loss: the mean over what is labelled, the labels smoothed."""
    output = backbone(**batch)
    if not smoothing:
        its: Tensor = output.loss
        return its
    losses, learned = losses_of(backbone.kind, output.logits, batch["labels"], smoothing)
    return losses.sum() / learned.sum().clamp_min(1)


def _keep(
    resume: Resume,
    step: int,
    tokens: int,
    parameters: list[torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    between: Sequence[Between],
) -> None:
    resume.keep(
        step=step,
        tokens=tokens,
        values=[parameter.detach() for parameter in parameters],
        optimizer=optimizer.state_dict(),
        schedule=schedule.state_dict(),
        between=[its.state() for its in between],
    )


def _put_back(
    state: dict[str, Any],
    parameters: list[torch.nn.Parameter],
    optimizer: Any,
    schedule: Any,
    between: Sequence[Between],
) -> None:
    """The state that was kept, into what is trained."""
    with torch.no_grad():
        for parameter, value in zip(parameters, state["values"], strict=True):
            parameter.copy_(value)
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    for its, known in zip(between, state.get("between", ()), strict=True):
        its.put_back(known)


def _optimizer(parameters: list[torch.nn.Parameter], settings: Train) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
    rates: dict[str, Any] = {"lr": settings.lr, "betas": settings.betas, "weight_decay": settings.weight_decay}
    return torch.optim.AdamW(parameters, fused=True, **rates)
