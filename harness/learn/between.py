"""What is done between the steps of a training: early stopping, and scores along the way."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from harness.backbone.backbone import Backbone
from harness.backbone.losses import losses_of
from harness.base.errors import Diverged
from harness.contracts.method import Train
from harness.data.task import Features
from harness.learn.batches import in_order


class Between:
    """Looks at a training between its steps; it draws nothing and changes nothing before `finish`."""

    def look(self, step: int) -> bool:
        """Called with the steps done, 0 before the first; says whether the training ends here."""
        raise NotImplementedError

    def finish(self) -> None:
        """Called once, after the last step."""

    def state(self) -> dict[str, Any]:
        """What it knows, of tensors and numbers, to be kept where a training may be stopped."""
        return {}

    def put_back(self, state: dict[str, Any]) -> None:
        """Go on from what an earlier process knew."""


@contextmanager
def aside(backbone: Backbone) -> Iterator[None]:
    """Look at a backbone in the midst of its training: without dropout and gradients, and without a draw of its own."""
    devices = [backbone.device] if backbone.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        backbone.eval()
        yield
    backbone.begin_training()


class Stopping(Between):
    """Ends a training when `patience` checks in a row found no smaller loss on dev examples, and keeps the best.

    Checks are every `check_every` steps and after the last; the loss is the mean over what is labelled, unsmoothed.
    """

    def __init__(self, backbone: Backbone, dev: Sequence[Features], settings: Train, every: int, pad: int) -> None:
        if settings.patience is None:
            raise ValueError("early stopping needs `patience`")
        self.backbone, self.patience, self.every, self.steps = backbone, settings.patience, every, settings.steps
        self.dev, self.size, self.pad = dev, settings.batch_size, pad
        self.begin = time.perf_counter()
        self.best: float | None = None
        self.step = self.worse = 0  # the step that was best, and the checks since then
        self.seconds = 0.0  # from the beginning to that step
        self.values: dict[str, Tensor] = {}

    def look(self, step: int) -> bool:
        if step == 0 or (step % self.every and step != self.steps):
            return False
        loss = self._loss()
        if not math.isfinite(loss):
            raise Diverged(f"the loss on dev examples is {loss} after step {step} of {self.steps}")
        if self.best is None or loss < self.best:
            self.best, self.step, self.worse = loss, step, 0
            self.seconds = time.perf_counter() - self.begin
            self.values = {name: value.detach().clone() for name, value in self._learned().items()}
            return False
        self.worse += 1
        return self.worse >= self.patience

    def finish(self) -> None:
        """Put the best values back."""
        here = {**dict(self.backbone.named_parameters()), **dict(self.backbone.named_buffers())}
        with torch.no_grad():
            for name, value in self.values.items():
                here[name].copy_(value)

    def found(self) -> dict[str, Any]:
        """The step that is kept and the seconds until it, for the record."""
        return {"best_step": self.step, "best_seconds": self.seconds}

    def state(self) -> dict[str, Any]:
        seconds = time.perf_counter() - self.begin
        names = ("best", "step", "worse", "seconds", "values")
        return {name: getattr(self, name) for name in names} | {"spent": seconds}

    def put_back(self, state: dict[str, Any]) -> None:
        self.begin = time.perf_counter() - state["spent"]
        self.best, self.step, self.worse = state["best"], state["step"], state["worse"]
        self.seconds, self.values = state["seconds"], state["values"]

    def _learned(self) -> dict[str, Tensor]:
        """What training changes: what trains, and what added modules keep in buffers."""
        buffers = {f"added.{name}": value for name, value in self.backbone.added.named_buffers()}
        return {**self.backbone.trained(), **buffers}

    def _loss(self) -> float:
        """The mean loss over what is labelled in the dev examples."""
        total, count = 0.0, 0
        with aside(self.backbone):
            for batch in in_order(self.dev, self.size, self.pad, self.backbone.device):
                losses, counted = losses_of(self.backbone.kind, self.backbone(**batch).logits, batch["labels"])
                total, count = total + float(losses.double().sum()), count + int(counted.sum())
        return total / count if count else math.nan
