"""What is done between the steps of a training: early stopping, and scores along the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.backbone.backbone import Backbone
from harness.base.errors import Diverged
from harness.base.measure import Stopwatch
from harness.contracts.method import Train
from harness.data.task import Features
from harness.learn.losses import mean_loss


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


@dataclass(frozen=True)
class Passed:
    """A point that a training came by: in the unit of its length, in steps, and after how many seconds of training."""

    point: int
    step: int
    seconds: float
    predictions: list[Any]


class Along(Between):
    """Predicts at some points of a training; nothing is decided by it, and its time does not count."""

    def __init__(
        self,
        backbone: Backbone,
        points: Mapping[int, int],
        predicted: Callable[[], list[Any]],
        watch: Stopwatch,
        passed: list[Passed],
    ) -> None:
        """`points` are by their step; `predicted` gives what the backbone predicts now, and `passed` takes it."""
        self.backbone, self.points, self.predicted, self.watch = backbone, points, predicted, watch
        self.passed = passed

    def look(self, step: int) -> bool:
        if step in self.points:
            seconds = self.watch.seconds()
            with self.watch.paused(), aside(self.backbone):
                self.passed.append(Passed(self.points[step], step, seconds, self.predicted()))
        return False


class Stopping(Between):
    """Ends a training when `patience` checks in a row found no smaller loss on dev examples, and keeps the best.

    Checks are every `check_every` steps and after the last; the loss is the mean over what is labelled, unsmoothed.
    """

    def __init__(
        self,
        backbone: Backbone,
        dev: Sequence[Features],
        settings: Train,
        every: int,
        pad: int,
        watch: Stopwatch | None = None,
    ) -> None:
        if settings.patience is None:
            raise ValueError("early stopping needs `patience`")
        self.backbone, self.patience, self.every, self.steps = backbone, settings.patience, every, settings.steps
        self.dev, self.size, self.pad = dev, settings.batch_size, pad
        self.watch = watch or Stopwatch()
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
            self.seconds = self.watch.seconds()
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
        names = ("best", "step", "worse", "seconds", "values")
        return {name: getattr(self, name) for name in names} | {"spent": self.watch.seconds()}

    def put_back(self, state: dict[str, Any]) -> None:
        self.watch.show(state["spent"])
        self.best, self.step, self.worse = state["best"], state["step"], state["worse"]
        self.seconds, self.values = state["seconds"], state["values"]

    def _learned(self) -> dict[str, Tensor]:
        """What training changes: what trains, and what added modules keep in buffers."""
        buffers = {f"added.{name}": value for name, value in self.backbone.added.named_buffers()}
        return {**self.backbone.trained(), **buffers}

    def _loss(self) -> float:
        """The mean loss over what is labelled in the dev examples."""
        with aside(self.backbone):
            return mean_loss(self.backbone, self.dev, self.size, self.pad)
