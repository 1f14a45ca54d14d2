"""What a model's logits lose against labels, by the kind of task."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from harness.contracts.method import Kind
from harness.data.kinds import IGNORED


def learned_from(kind: Kind, labels: Tensor) -> Tensor:
    """The labels, [batch, tokens], that a loss reads: in language modelling a token's logits are for the next one."""
    return labels[:, 1:] if kind == "causal-lm" else labels


def losses_of(kind: Kind, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The losses of a batch and which of them count, [batch, tokens] each; a text as a whole has one loss.

    An ignored token's loss is zero, and it does not count.
    """
    if kind == "sequence-classification":
        losses = text_losses(logits, labels).unsqueeze(1)
        return losses, torch.ones_like(losses, dtype=torch.bool)
    labels = learned_from(kind, labels)
    logits = logits[:, : labels.shape[1]]
    losses = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
    return losses.reshape(labels.shape), labels != IGNORED


def text_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of each text, [batch], from logits [batch, rows] and labels [batch, 3]: first row, rows, answer.

    The rows of a head that are a text's are those of its domain. Of several the answer is the place of the right one,
    and the loss the cross entropy among them; of one alone the answer is a number, and the loss the squared error.
    """
    first, rows, answer = labels.to(logits.dtype).unbind(1)
    places = torch.arange(logits.shape[1], device=logits.device)
    own = (places >= first.unsqueeze(1)) & (places < (first + rows).unsqueeze(1))
    classes = rows > 1
    right = first + torch.where(classes, answer, 0.0)
    entropy = functional.cross_entropy(logits.masked_fill(~own, -torch.inf), right.long(), reduction="none")
    error = (logits.gather(1, first.long().unsqueeze(1)).squeeze(1) - answer).square()
    return torch.where(classes, entropy, error)
