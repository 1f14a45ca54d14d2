"""Losses over many rows: their mean on examples that are only looked at, and what an example's windows sum to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from harness.backbone.backbone import Backbone
from harness.backbone.losses import losses_of
from harness.data.task import Features
from harness.learn.batches import Batch, by_length, collate, in_order

AT_ONCE = 32  # windows

# Of a batch and its rows: the negative log-likelihood of each row, in nats, and the tokens that count in it.
Each = Callable[[Batch, list[Features]], tuple[list[float], list[int]]]


def mean_loss(backbone: Backbone, rows: Sequence[Features], size: int, pad: int) -> float:
    """The mean loss over what is labelled in the rows, read `size` at once; nan where nothing is."""
    total, count = 0.0, 0
    for batch in in_order(rows, size, pad, backbone.device):
        losses, counted = losses_of(backbone.kind, backbone(**batch).logits, batch["labels"])
        total, count = total + float(losses.double().sum()), count + int(counted.sum())
    return total / count if count else math.nan


def summed(backbone: Backbone, features: list[list[Features]], tokenizer: Any, each: Each) -> list[dict[str, Any]]:
    """For each example, of its windows together, the negative log-likelihood in nats and the number of its tokens."""
    owners = [place for place, windows in enumerate(features) for _ in windows]
    rows = [window for windows in features for window in windows]
    sums: list[dict[str, Any]] = [{"nll": 0.0, "tokens": 0} for _ in features]
    for places in by_length(rows, AT_ONCE):
        its = [rows[place] for place in places]
        found = each(collate(its, tokenizer.pad_token_id, backbone.device), its)
        for place, nll, tokens in zip(places, *found, strict=True):
            sums[owners[place]]["nll"] += nll
            sums[owners[place]]["tokens"] += tokens
    return sums


def one_a_token(logits: Tensor, tokens: Tensor) -> Tensor:
    """The logits, [batch, tokens, ...]; raises ValueError where they are not one row for each of [batch, tokens]."""
    if logits.shape[:2] != tokens.shape:
        wanted, given = list(tokens.shape), list(logits.shape[:2])
        raise ValueError(f"the model gives logits for {given} (rows, tokens), and was asked for {wanted}")
    return logits
