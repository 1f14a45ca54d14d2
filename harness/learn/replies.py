"""What a model says of the replies of dialogues: how likely they are, and what it would answer itself."""

from __future__ import annotations

from typing import Any

import torch

from harness.backbone.backbone import Backbone
from harness.backbone.losses import learned_from, losses_of
from harness.data.task import Example, Features, Task
from harness.learn.batches import Batch
from harness.learn.generate import texts_of
from harness.learn.losses import one_a_token, summed


def replies(
    backbone: Backbone,
    task: Task,
    examples: list[Example],
    features: list[list[Features]],
    tokenizer: Any,
    target_length: int,
) -> list[dict[str, Any]]:
    """For each dialogue the replies' negative log-likelihood in nats and their tokens, and texts where those are asked.

    Of `features`, a window for each reply, only the labels that are `scored` count.
    """

    def scored(batch: Batch, rows: list[Features]) -> tuple[list[float], list[int]]:
        return _scored_losses(backbone, batch, rows), [sum(row["scored"]) for row in rows]

    found = summed(backbone, features, tokenizer, scored)
    if task.generation is None:
        return found
    rows = [window for windows in features for window in windows]
    if backbone.kind == "causal-lm":
        rows = [{"input_ids": row["asked"]} for row in rows]
    texts = iter(texts_of(backbone, rows, tokenizer, task.generation, target_length))
    return [its | {"replies": [next(texts) for _ in windows]} for its, windows in zip(found, features, strict=True)]


def _scored_losses(backbone: Backbone, batch: Batch, rows: list[Features]) -> list[float]:
    """Of each row the sum of the losses of its scored labels."""
    read = batch["input_ids"] if backbone.kind == "causal-lm" else batch["labels"]
    logits = one_a_token(backbone(**batch).logits, read)
    losses, _ = losses_of(backbone.kind, logits.float(), batch["labels"])
    width = batch["labels"].shape[1]
    scored = torch.tensor([[*row["scored"], *[False] * (width - len(row["scored"]))] for row in rows])
    counted = learned_from(backbone.kind, scored.to(losses.device))
    sums: list[float] = losses.masked_fill(~counted, 0.0).double().sum(1).tolist()
    return sums
