"""What the cells of a block share."""

from __future__ import annotations

from typing import Any, cast

from harness.adapt.bench import Bench
from harness.contracts.method import Train
from harness.data.task import Task


class Counting:
    """A task that notes what it encodes."""

    labels = None
    kind = "causal-lm"

    def __init__(self) -> None:
        self.encoded: list[list[str]] = []

    def encode(self, examples: list[dict[str, Any]], *_: Any) -> list[str]:
        self.encoded.append([example["text"] for example in examples])
        return [f"{example['text']}, encoded" for example in examples]


def test_a_test_split_is_encoded_once_a_checkpoint_and_anew_where_a_search_has_another() -> None:
    task = Counting()
    bench = Bench(cast(Task, task), {}, [], Train(steps=1), 8, 8, None)
    for text in ("first", "second"):
        bench.splits = {("nl", "test"): [{"text": text}]}
        for _ in range(2):
            assert bench.test_features("nl", bench.task, None) == [f"{text}, encoded"]
    assert task.encoded == [["first"], ["second"]]


def test_another_checkpoint_encodes_with_its_own_tokenizer(monkeypatch: Any) -> None:
    task = Counting()
    bench = Bench(cast(Task, task), {}, [], Train(steps=1), 8, 8, None)
    bench.splits = {("nl", "test"): [{"text": "first"}]}
    monkeypatch.setattr("harness.backbone.load.Checkpoint", lambda folder, kind, labels: task)
    for folder in ("one", "one", "other"):
        read = bench.checkpoint(folder, bench.task)
        bench.test_features("nl", bench.task, read)
    assert task.encoded == [["first"], ["first"]]
