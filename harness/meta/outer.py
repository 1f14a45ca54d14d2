"""The outer loop: what it updates, one step of it, and the score on the domains of meta_dev.

The backbone's own parameters hold the current values. The inner loop starts from those that it updates,
the same for every task; the outer optimizer steps on whatever `Updates` says, at the gradient that
`meta_gradient` gives (Finn et al., 2017, algorithm 1; Hou et al., 2022, algorithm 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from harness.backbone.backbone import Backbone
from harness.backbone.load import draw_fresh
from harness.contracts.adaptation import Adaptation
from harness.contracts.method import Train
from harness.learn.batches import Batch
from harness.meta.choices import HeadHandling, Memory
from harness.meta.gradient import MetaGradient, adapted, meta_gradient
from harness.meta.inner import Values
from harness.meta.tasks import TaskLosses


@dataclass(frozen=True)
class Updates:
    """The names of the parameters that each loop updates.

    `inner` adapt to a task; `outer` are meta-learned; what is in neither stays as it was. A head that is
    carried or fresh is in `inner` alone.
    """

    inner: frozenset[str]
    outer: frozenset[str]
    controller: frozenset[str]  # of `outer`, what an adaptation added that the inner loop leaves alone
    head: frozenset[str]

    @staticmethod
    def of(backbone: Backbone, inner: str, outer: str, head: HeadHandling) -> Updates:
        """Read from a backbone with its adaptations attached."""
        every = dict(backbone.named_parameters())
        added = {name for name in every if name.startswith("added.")}
        trained = set(backbone.trained())
        heads = {f"model.{name}" for name in backbone.head}
        adapting = trained if inner == "adaptation" else set(every) - (added - trained)
        learned = set(every) if outer == "everything" else added | (trained & heads)
        if head != "meta":
            learned -= heads
        return Updates(
            inner=frozenset(adapting),
            outer=frozenset(learned),
            controller=frozenset(added - adapting),
            head=frozenset(heads & adapting),
        )


@dataclass
class Learner:
    """A backbone with its adaptations, and how the two loops treat it."""

    backbone: Backbone
    adaptations: Sequence[Adaptation]
    updates: Updates
    inner: Train
    order: Literal[1, 2]
    memory: Memory
    head: HeadHandling

    def __post_init__(self) -> None:
        self.parameters = dict(self.backbone.named_parameters())
        self.backbone.explores = bool(self.updates.controller & self.updates.outer)
        embeddings = {id(module.weight) for module in self.backbone.modules() if isinstance(module, nn.Embedding)}
        # Embeddings of positions, and of distances, are read once for all rows: no pass can give each task its own.
        alone = any(id(self.parameters[name]) in embeddings for name in self.updates.inner)
        self.together = not alone and not self.backbone.anatomy.reads_distances

    def gradient(self, support: list[Batch], query: Batch, tasks: int, seen: Values | None = None) -> MetaGradient:
        """The tasks' summed meta-gradient, in one pass where they share what does not adapt.

        `seen` are the tasks' buffers, [tasks, ...], in the place of what the adaptations observe of `support`.
        """
        if self.together or tasks == 1:
            return self._gradient(support, query, tasks, seen)
        parts = [
            self._gradient(
                [_rows(batch, task, tasks) for batch in support],
                _rows(query, task, tasks),
                1,
                None if seen is None else {name: value[task : task + 1] for name, value in seen.items()},
            )
            for task in range(tasks)
        ]
        return MetaGradient(
            losses=torch.cat([part.losses for part in parts]),
            body={name: torch.stack([part.body[name] for part in parts]).sum(0) for name in parts[0].body},
            start={name: torch.cat([part.start[name] for part in parts]) for name in parts[0].start},
            adapted={name: torch.cat([part.adapted[name] for part in parts]) for name in parts[0].adapted},
        )

    def query_loss(self, support: list[Batch], query: Batch, tasks: int) -> float:
        """The tasks' mean query loss after the inner loop, with nothing learned."""
        found = []
        for task in range(tasks):
            own, asked = [_rows(batch, task, tasks) for batch in support], _rows(query, task, tasks)
            losses, body, start = self._parts(own, 1, None)
            values = adapted(losses, body, start, own, self.inner)
            with torch.no_grad():
                found.append(float(losses(body, values, asked)))
        return sum(found) / tasks

    def _gradient(self, support: list[Batch], query: Batch, tasks: int, seen: Values | None) -> MetaGradient:
        losses, body, start = self._parts(support, tasks, seen)
        return meta_gradient(losses, body, start, support, query, self.inner, self.order, self.memory)

    def _parts(self, support: list[Batch], tasks: int, seen: Values | None) -> tuple[TaskLosses, Values, Values]:
        seen = self.observed(support, tasks) if seen is None else seen
        losses = TaskLosses(self.backbone, tasks, seen, noise=torch.initial_seed())
        start = {
            name: self.parameters[name].detach().expand(tasks, *self.parameters[name].shape)
            for name in sorted(self.updates.inner)
        }
        body = {name: self.parameters[name].detach() for name in sorted(self.updates.outer - self.updates.inner)}
        return losses, body, start

    def observed(self, support: list[Batch], tasks: int) -> Values:
        """What the adaptations observe of each task's support set, as they keep it in their buffers, [tasks, ...]."""
        watching = [it for it in self.adaptations if type(it).observe is not Adaptation.observe]
        if not watching or not support:
            return {}
        rows = []
        for task in range(tasks):
            for adaptation in watching:
                adaptation.observe(self.backbone, [_rows(batch, task, tasks) for batch in support])
            rows.append({f"added.{name}": value.clone() for name, value in self.backbone.added.named_buffers()})
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

    def step(self, found: MetaGradient, optimizer: torch.optim.Optimizer, clip: float) -> None:
        """One outer step at the mean over tasks; then the head as it is to be kept."""
        tasks = len(found.losses)
        learned = []
        for name in sorted(self.updates.outer):
            gradient = found.body[name] if name in found.body else found.start[name].sum(0)
            self.parameters[name].grad = gradient / tasks
            learned.append(self.parameters[name])
        torch.nn.utils.clip_grad_norm_(learned, clip)
        optimizer.step()
        optimizer.zero_grad()
        if self.head == "carry":
            with torch.no_grad():
                for name in self.updates.head:
                    self.parameters[name].copy_(found.adapted[name][-1])

    def optimizer(self, lr: float, controller_lr: float | None, weight_decay: float) -> torch.optim.Optimizer:
        """AdamW over what the outer loop updates; a controller may have a rate of its own."""
        slow = [self.parameters[name] for name in sorted(self.updates.outer - self.updates.controller)]
        own = [self.parameters[name] for name in sorted(self.updates.outer & self.updates.controller)]
        groups: list[dict[str, Any]] = [{"params": slow, "lr": lr}]
        if own:
            groups.append({"params": own, "lr": controller_lr or lr})
        return torch.optim.AdamW(groups, weight_decay=weight_decay)

    def renew_head(self, seed: int) -> None:
        """Draw the head anew, as a checkpoint without one has it."""
        draw_fresh(self.backbone.model, [self.parameters[name] for name in sorted(self.updates.head)], seed)

    def head_to_drop(self) -> list[str]:
        """The model's names of a head that is drawn anew for every task, and so is not saved."""
        return [name.removeprefix("model.") for name in self.updates.head] if self.head == "fresh" else []

    def values(self) -> dict[str, Tensor]:
        """A copy of all that may have moved."""
        moving = self.updates.outer | self.updates.head
        return {name: self.parameters[name].detach().clone() for name in sorted(moving)}

    def put_back(self, values: dict[str, Tensor]) -> None:
        """Set the values that `values` gave."""
        with torch.no_grad():
            for name, value in values.items():
                self.parameters[name].copy_(value)


def _rows(batch: Batch, task: int, tasks: int) -> Batch:
    """One task's rows of a joined batch."""
    size = len(batch["input_ids"]) // tasks
    return {name: tensor[task * size : (task + 1) * size] for name, tensor in batch.items()}
