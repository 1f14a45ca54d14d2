"""A cell's training in epochs, and one that is stopped early: by its budget's own examples, and never by the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.backbone.load import Checkpoint
from harness.contracts.method import Kind
from harness.data.task import Example, Splits
from tests.contract import cells
from tests.contract.cells import BUDGET, Case, read_for, same, spoiled, task_of

Read = Callable[..., Checkpoint]
KIND: Kind = "token-classification"
CASE = Case("head", "bert", KIND)
STOP = {"patience": 1, "check_every": 1, "steps": 4, "lr": 0.05}


def ran(folder: Path, checkpoint: Read, splits: Splits | None = None, **options: Any) -> cells.Ran:
    return cells.run(folder, CASE, read_for(CASE, checkpoint), splits or task_of(KIND)[2], options=options)


@pytest.mark.parametrize(("accumulate", "steps"), [(1, 6), (2, 3), (3, 3)])
def test_an_epoch_reads_every_sentence_once(accumulate: int, steps: int, checkpoint: Read, tmp_path: Path) -> None:
    by_epochs = ran(tmp_path, checkpoint, epochs=3, accumulate=accumulate)  # of four sentences, two a batch
    by_steps = ran(tmp_path, checkpoint, steps=steps, accumulate=accumulate)
    one = ran(tmp_path, checkpoint, epochs=1, accumulate=accumulate)
    assert same(by_epochs.after, by_steps.after)
    assert by_epochs.costs["trained_tokens"] == 3 * one.costs["trained_tokens"]
    assert "best_step" not in by_epochs.costs


def changed(splits: Splits, split: str, ids: list[str]) -> Splits:
    """The splits with the content of some examples of one of them taken from another."""
    donor = splits["train"][-1]
    rows: list[Example] = [spoiled(row, donor) if row["id"] in ids else row for row in splits[split]]
    return {**splits, split: rows}


@pytest.mark.parametrize("dev", ["budget", "split"])
def test_early_stopping_looks_at_its_own_examples_alone(dev: str, checkpoint: Read, tmp_path: Path) -> None:
    splits = task_of(KIND)[2]
    first = ran(tmp_path, checkpoint, dev=dev, **STOP)
    assert 1 <= first.costs["best_step"] <= 4
    assert 0 < first.costs["best_seconds"] <= first.costs["adaptation_seconds"]
    test = changed(splits, "test", [row["id"] for row in splits["test"]])
    assert same(ran(tmp_path, checkpoint, test, dev=dev, **STOP).after, first.after)
    other = changed(splits, "dev", [row["id"] for row in splits["dev"]])
    assert same(ran(tmp_path, checkpoint, other, dev="budget", **STOP).after, first.after) == (dev == "budget")


def test_what_is_held_out_of_the_budget_is_not_learned(checkpoint: Read, tmp_path: Path) -> None:
    splits, never = task_of(KIND)[2], {"patience": 9, "check_every": 99, "steps": 3, "lr": 0.05}
    *learned, held = cells.seen_examples(KIND, BUDGET, 0)
    first = ran(tmp_path, checkpoint, **never)
    unseen = changed(splits, "train", [held])
    assert same(ran(tmp_path, checkpoint, unseen, **never).after, first.after)
    assert not same(ran(tmp_path, checkpoint, changed(splits, "train", learned[:1]), **never).after, first.after)
