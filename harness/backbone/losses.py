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


def counted(kind: Kind, labels: Tensor) -> Tensor:
    """Which losses of a batch count, [batch, tokens]; a text as a whole has one, [batch, 1]."""
    if kind == "sequence-classification":
        return torch.ones_like(labels[:, :1], dtype=torch.bool)
    return learned_from(kind, labels) != IGNORED


def losses_of(kind: Kind, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """The losses of a batch and which of them count, [batch, tokens] each; a text as a whole has one loss.

    An ignored token's loss is zero, and it does not count. Of a label the share `smoothing` goes evenly to all that
    it could be (Szegedy et al., 2016, section 7); a number is never smoothed.
    """
    learned = counted(kind, labels)
    if kind == "sequence-classification":
        return text_losses(logits, labels, smoothing).unsqueeze(1), learned
    labels = learned_from(kind, labels)
    logits = logits[:, : labels.shape[1]]
    losses = functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none", label_smoothing=smoothing
    )
    return losses.reshape(labels.shape), learned


def text_losses(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """The loss of each text, [batch], from logits [batch, rows] and labels [batch, 3]: first row, rows, answer.

    The rows of a head that are a text's are those of its domain. Of several the answer is the place of the right one,
    and the loss the cross entropy among them; of one alone the answer is a number, and the loss the squared error.
    """
    first, rows, answer = labels.to(logits.dtype).unbind(1)
    places = torch.arange(logits.shape[1], device=logits.device)
    own = (places >= first.unsqueeze(1)) & (places < (first + rows).unsqueeze(1))
    classes = rows > 1
    right = first + torch.where(classes, answer, 0.0)
    among = logits.masked_fill(~own, -torch.inf)
    entropy = functional.cross_entropy(among, right.long(), reduction="none")
    if smoothing:  # torch's own would reach the rows of other domains, whose loss is infinite
        all_rows = -among.log_softmax(1).masked_fill(~own, 0.0).sum(1) / rows
        entropy = (1 - smoothing) * entropy + smoothing * all_rows
    error = (logits.gather(1, first.long().unsqueeze(1)).squeeze(1) - answer).square()
    return torch.where(classes, entropy, error)
