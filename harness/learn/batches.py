"""Features to padded tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import torch
from torch import Tensor

from harness.data.kinds import IGNORED
from harness.data.task import Features

Batch = dict[str, Tensor]
POOL = 16  # batches that are sorted by length together


def collate(features: Sequence[Features], pad: int, device: torch.device | str = "cpu", before: bool = False) -> Batch:
    """`input_ids`, `attention_mask`, `token_type_ids` and `labels`, each [batch, longest]; other columns stay behind.

    Padding stands behind a text, or `before` it where a decoder is to go on writing. A text of which a tokenizer leaves
    nothing is one token of padding.
    """
    longest = max(1, *(len(row["input_ids"]) for row in features))
    batch = {
        "input_ids": _padded([row["input_ids"] for row in features], pad, longest, before),
        "attention_mask": _padded([[1] * len(row["input_ids"]) for row in features], 0, longest, before),
    }
    if "token_type_ids" in features[0]:
        batch["token_type_ids"] = _padded([row["token_type_ids"] for row in features], 0, longest)
    if "labels" in features[0]:
        labels = [row["labels"] for row in features]
        batch["labels"] = _padded(labels, IGNORED, max(1, *(len(row) for row in labels)))
    return {name: tensor.to(device) for name, tensor in batch.items()}


def _padded(rows: Sequence[Sequence[Any]], filler: int, longest: int, before: bool = False) -> Tensor:
    fillers = [[filler] * (longest - len(row)) for row in rows]
    return torch.tensor([[*more, *row] if before else [*row, *more] for row, more in zip(rows, fillers, strict=True)])


def in_order(features: Sequence[Features], size: int, pad: int, device: torch.device | str = "cpu") -> Iterator[Batch]:
    """Every example once, as it comes."""
    for begin in range(0, len(features), size):
        yield collate(features[begin : begin + size], pad, device)


def parts(batch: Batch, size: int) -> list[Batch]:
    """A batch in parts of at most `size` rows, in their order."""
    rows = len(batch["input_ids"])
    return [{name: tensor[begin : begin + size] for name, tensor in batch.items()} for begin in range(0, rows, size)]


def shuffled(features: Sequence[Features], size: int, order: Random) -> Iterator[list[Features]]:
    """Batches of features without end, every epoch in a new order."""
    lengths = [len(row["input_ids"]) for row in features]
    for places in similar_lengths(lengths, size, order):
        yield [features[place] for place in places]


def similar_lengths(lengths: Sequence[int], size: int, order: Random) -> Iterator[list[int]]:
    """Places in random batches without end, of similar lengths within a batch, so that little is padded.

    An epoch's order is drawn first; pools of sixteen batches are then sorted by length and cut. The last
    batch of an epoch is as small as it comes. Raises ValueError where there is nothing.
    """
    if not lengths:
        raise ValueError("there is nothing to train on: of all texts not a token is left")
    places = list(range(len(lengths)))
    while True:
        order.shuffle(places)
        batches = []
        for begin in range(0, len(places), POOL * size):
            pool = sorted(places[begin : begin + POOL * size], key=lambda place: lengths[place])
            batches += [pool[cut : cut + size] for cut in range(0, len(pool), size)]
        order.shuffle(batches)
        yield from batches


def by_length(features: Sequence[Features], size: int) -> Iterator[list[int]]:
    """Places of features in batches of similar length, once each and in the same order every time."""
    places = sorted(range(len(features)), key=lambda place: len(features[place]["input_ids"]))
    for begin in range(0, len(places), size):
        yield places[begin : begin + size]
