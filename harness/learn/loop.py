"""The training loop, written once: adaptation, multitask and continued pretraining all run it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.backbone.backbone import Backbone, check_something_trains
from harness.base.errors import Diverged
from harness.contracts.method import Train
from harness.learn.batches import Batch


@dataclass(frozen=True)
class Trained:
    """What training did: the loss of the last step and the tokens that were read."""

    last_loss: float | None
    tokens: int


def train(
    backbone: Backbone,
    batches: Iterator[Batch],
    settings: Train,
    watch: Callable[[int, float], None] | None = None,
    penalties: Sequence[Callable[[Backbone], Tensor | None]] = (),
) -> Trained:
    """Train what `backbone` says trains for `settings.steps` steps; raises Diverged on a loss that is no number.

    `penalties` are added to the loss of the examples, where they give anything.
    """
    if settings.steps == 0:
        return Trained(None, 0)
    check_something_trains(backbone)
    parameters = list(backbone.trained().values())
    optimizer = _optimizer(parameters, settings)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, settings))
    backbone.train()
    tokens, value = 0, 0.0
    for step in range(settings.steps):
        batch = next(batches)
        loss = backbone(**batch).loss
        for penalty in penalties:
            more = penalty(backbone)
            loss = loss if more is None else loss + more
        value = loss.item()
        if not math.isfinite(value):
            raise Diverged(f"the loss is {value} at step {step + 1} of {settings.steps}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        tokens += int(batch["attention_mask"].sum())
        if watch:
            watch(step + 1, value)
    backbone.eval()
    return Trained(value, tokens)


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
