"""What a model says of the replies of dialogues: how likely they are, and what it would answer itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness.backbone.backbone import Backbone
from harness.backbone.losses import learned_from, losses_of
from harness.data.task import Example, Features, Task
from harness.learn.batches import Batch, by_length, collate
from harness.learn.generate import generated

BATCH = 32


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
    owners = [place for place, windows in enumerate(features) for _ in windows]
    rows = [window for windows in features for window in windows]
    found: list[dict[str, Any]] = [{"nll": 0.0, "tokens": 0} for _ in examples]
    for places in by_length(rows, BATCH):
        batch = collate([rows[place] for place in places], tokenizer.pad_token_id, backbone.device)
        losses = _scored_losses(backbone, batch, [rows[place] for place in places])
        for place, nll in zip(places, losses, strict=True):
            found[owners[place]]["nll"] += nll
            found[owners[place]]["tokens"] += sum(rows[place]["scored"])
    if task.generation is None:
        return found
    texts = [""] * len(rows)
    for places in by_length(rows, BATCH):
        batch = _asked(backbone, [rows[place] for place in places], tokenizer.pad_token_id)
        made = generated(backbone, batch, task.generation, target_length, tokenizer)
        for place, text in zip(places, tokenizer.batch_decode(made, skip_special_tokens=True), strict=True):
            texts[place] = text.strip()
    for its in found:
        its["replies"] = []
    for owner, text in zip(owners, texts, strict=True):
        found[owner]["replies"].append(text)
    return found


def _scored_losses(backbone: Backbone, batch: Batch, rows: list[Features]) -> list[float]:
    """Of each row the sum of the losses of its scored labels."""
    logits = backbone(**batch).logits
    read = batch["input_ids"].shape if backbone.kind == "causal-lm" else batch["labels"].shape
    if logits.shape[:2] != read:
        given, wanted = list(logits.shape[:2]), list(read)
        raise ValueError(f"the model gives logits for {given} (rows, tokens), and was asked for {wanted}")
    losses, _ = losses_of(backbone.kind, logits.float(), batch["labels"])
    width = batch["labels"].shape[1]
    scored = torch.tensor([[*row["scored"], *[False] * (width - len(row["scored"]))] for row in rows])
    counted = learned_from(backbone.kind, scored.to(losses.device))
    sums: list[float] = losses.masked_fill(~counted, 0.0).double().sum(1).tolist()
    return sums


def _asked(backbone: Backbone, rows: list[Features], pad: int) -> Batch:
    """What is read before each reply; a decoder goes on behind it, so its rows are padded at their begin."""
    if backbone.kind != "causal-lm":
        batch = collate(rows, pad, backbone.device)
        del batch["labels"]
        return batch
    read = [row["asked"] for row in rows]
    longest = max(len(ids) for ids in read)

    def padded(filler: int, kept: list[list[int]]) -> Tensor:
        return torch.tensor([[*[filler] * (longest - len(ids)), *ids] for ids in kept], device=backbone.device)

    return {"input_ids": padded(pad, read), "attention_mask": padded(0, [[1] * len(ids) for ids in read])}
