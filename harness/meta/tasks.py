"""The losses of several tasks on one backbone, as a function of its values."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call

from harness.backbone.backbone import Backbone
from harness.backbone.losses import losses_of
from harness.backbone.several import Several
from harness.contracts.method import Kind
from harness.learn.batches import Batch
from harness.meta.inner import Values


class TaskLosses:
    """(body, adapted, batch) -> a loss a task, [tasks]; the batch holds the tasks' rows one after another.

    `body` and `adapted` are values by the names of the backbone's parameters; `adapted`, and the `seen`
    buffers in which adaptations keep what they observed, have a task axis. With `noise`, every pass draws the
    same numbers (dropout, Gumbel): a structure then holds for a whole episode, and a pass can be asked again.
    """

    def __init__(self, backbone: Backbone, tasks: int, seen: Values | None = None, noise: int | None = None) -> None:
        self.backbone = backbone
        self.tasks = tasks
        self.seen = seen or {}
        self.noise = noise

    def __call__(self, body: Values, adapted: Values, batch: Batch) -> Tensor:
        if self.noise is not None:
            torch.manual_seed(self.noise)
        inputs = dict(batch)
        labels = inputs.pop("labels")
        if self.backbone.kind == "summarization":
            inputs["decoder_input_ids"] = self.backbone.model.prepare_decoder_input_ids_from_labels(labels=labels)
        own = {**adapted, **self.seen}
        # One task alone needs no task axis, and with it every architecture and parameter is served.
        if self.tasks == 1:
            own = {name: value.squeeze(0) for name, value in own.items()}
            output = functional_call(self.backbone, {**body, **own}, kwargs=inputs)
        else:
            self.backbone.several = Several(self.tasks, frozenset(id(value) for value in own.values()))
            try:
                output = functional_call(self.backbone, {**body, **own}, kwargs=inputs)
            finally:
                self.backbone.several = None
        return task_means(self.backbone.kind, output.logits, labels, self.tasks)


def task_means(kind: Kind, logits: Tensor, labels: Tensor, tasks: int) -> Tensor:
    """The mean loss over each task's labelled tokens or texts, as a backbone's own loss has it for one task, [tasks].

    A task without any labelled token has a loss of zero and no gradient.
    """
    losses, counted = losses_of(kind, logits, labels)
    return losses.reshape(tasks, -1).sum(1) / counted.reshape(tasks, -1).sum(1).clamp_min(1)
