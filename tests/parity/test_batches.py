"""Batches: padding is marked, an epoch reads each row once, and lengths within a batch are alike."""

from __future__ import annotations

from random import Random

import pytest

from harness.data.kinds import IGNORED
from harness.learn.batches import by_length, collate, shuffled


def rows(count: int, seed: int = 0) -> list[dict[str, list[int]]]:
    """Rows of one to twenty tokens, the first of which names the row."""
    rng = Random(seed)
    return [{"input_ids": [place, *[7] * rng.randrange(20)]} for place in range(count)]


def test_collate_pads_at_the_end_and_masks_what_it_pads() -> None:
    features = [{"input_ids": [5, 6, 7], "labels": [1, 2], "words": [0]}, {"input_ids": [8], "labels": [3]}]
    batch = {name: tensor.tolist() for name, tensor in collate(features, 9).items()}
    assert batch == {
        "input_ids": [[5, 6, 7], [8, 9, 9]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
        "labels": [[1, 2], [3, IGNORED]],
    }


@pytest.mark.parametrize(("count", "size"), [(1, 4), (7, 3), (16, 4), (200, 4)])
def test_an_epoch_reads_every_row_once(count: int, size: int) -> None:
    endless = shuffled(rows(count), size, Random(1))
    orders = []
    for _ in range(3):
        order: list[int] = []
        while len(order) < count:
            batch = next(endless)
            assert 1 <= len(batch) <= size
            order += [row["input_ids"][0] for row in batch]
        assert sorted(order) == list(range(count))
        orders.append(order)
    assert count == 1 or orders[0] != orders[1]
    again = shuffled(rows(count), size, Random(1))
    assert [row["input_ids"][0] for row in next(again)] == orders[0][: min(size, count)]


def test_lengths_within_a_batch_are_alike() -> None:
    endless = shuffled(rows(400), 8, Random(1))
    padded = whole = 0
    for _ in range(50):
        lengths = [len(row["input_ids"]) for row in next(endless)]
        padded += max(lengths) * len(lengths) - sum(lengths)
        whole += sum(lengths)
    assert padded < 0.15 * whole


@pytest.mark.parametrize(("count", "size"), [(1, 4), (7, 3), (16, 4)])
def test_by_length_reads_every_row_once(count: int, size: int) -> None:
    batches = list(by_length(rows(count), size))
    assert sorted(place for batch in batches for place in batch) == list(range(count))
    assert max(len(batch) for batch in batches) <= size
    lengths = [len(rows(count)[place]["input_ids"]) for batch in batches for place in batch]
    assert lengths == sorted(lengths)
