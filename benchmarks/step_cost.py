"""What one training step costs: seconds, operations, and the memory that it holds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation
from harness.learn.kept import Kept

WARM_UP = 5
Batch = dict[str, Tensor]


class Step:
    """One step of AdamW on what trains, as the harness's loop does it: the states of frozen layers are kept."""

    def __init__(self, model: Any, batch: Batch, adaptations: Sequence[Adaptation] = ()) -> None:
        self.model, self.batch, self.adaptations = model, batch, adaptations
        self.parameters = [value for value in model.parameters() if value.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-4, fused=True)
        for adaptation in adaptations:
            adaptation.observe(model, [batch])
        model.train()
        if isinstance(model, Backbone):
            self.batch = batch | Kept(model, _rows(batch), pad=0, reads=len(batch["labels"]) + 1).of(_places(batch))
            model.begin_training()

    def loss(self) -> Tensor:
        """The loss of the batch with the adaptations' penalties."""
        loss: Tensor = self.model(**self.batch).loss
        for adaptation in self.adaptations:
            more = adaptation.penalty(self.model)
            loss = loss if more is None else loss + more
        return loss

    def __call__(self) -> None:
        self.loss().backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def _places(batch: Batch) -> range:
    return range(len(batch["labels"]))


def _rows(batch: Batch) -> list[dict[str, list[int]]]:
    """The sentences of a batch, of which each is as long as the others."""
    return [{name: batch[name][place].tolist() for name in ("input_ids", "labels")} for place in _places(batch)]


@dataclass(frozen=True)
class Work:
    """What a step costs whatever else the machine does; memory in bytes."""

    operations: int
    flops: int
    saved: int  # held from the forward pass for the backward pass, what lives anyway (weights, batch) aside
    state: int  # gradients and the optimizer's moments


class _Counter(TorchDispatchMode):
    """Counts the kernels that are called; views call none."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not getattr(func, "is_view", False)
        return func(*args, **(kwargs or {}))


def work_of(step: Step) -> Work:
    """Count a step: every number but the seconds, the same at each run."""
    step()
    with FlopCounterMode(display=False) as flops:
        step.loss().backward()
    step.optimizer.zero_grad()
    with _Counter() as counter:
        step()
    lives = {_storage(value) for value in [*step.model.parameters(), *step.model.buffers(), *step.batch.values()]}
    saved: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        if _storage(value) not in lives:
            saved[_storage(value)] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        loss = step.loss()
    loss.backward()
    gradients = sum(
        value.grad.numel() * value.grad.element_size() for value in step.parameters if value.grad is not None
    )
    step.optimizer.zero_grad()
    moments = sum(
        value.numel() * value.element_size()
        for state in step.optimizer.state.values()
        for value in state.values()
        if value.ndim
    )
    return Work(counter.count, flops.get_total_flops(), sum(saved.values()), gradients + moments)


def seconds(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step in each round; all take their turn, so that the machine's noise falls on all."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for place in range(rounds + WARM_UP):
        order = list(steps) if place % 2 else list(reversed(steps))
        for name in order:
            begin = time.perf_counter()
            steps[name]()
            if place >= WARM_UP:
                times[name].append(time.perf_counter() - begin)
    return times


def ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """The ratio of medians, and the quartiles of the paired ratios."""
    low, _, high = statistics.quantiles([a / b for a, b in zip(ours, theirs, strict=True)], n=4)
    return statistics.median(ours) / statistics.median(theirs), low, high


def _storage(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()
