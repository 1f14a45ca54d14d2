"""Texts of records: what a decoder writes does not depend on its batch, cells of both architectures, and controls."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.adaptations.lora import LoRA
from harness.adaptations.prefix import Prefix
from harness.adaptations.tams import Tams
from harness.adaptations.tarp import Tarp
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.discover import methods
from harness.data.generation import Generation
from harness.learn.batches import collate
from harness.learn.generate import generated
from harness.learn.predict import predict
from harness.learn.save import attach
from harness.parts.build import adaptations_of
from tests.contract.cells import shake, task_of
from tests.contract.probes import tokens

PARTS: dict[str, list[Adaptation]] = {
    "nothing": [],
    "lora": [LoRA(rank=2, targets="all")],
    "prefix": [Prefix(length=3)],
    "tarp": [Tarp(rank=2, targets="all")],
    "tams": [Tams(width=4)],
}
LONGEST = 6


def shaken(read: Checkpoint, parts: list[Adaptation]) -> Backbone:
    backbone = read.backbone(0)
    if parts:
        attach(backbone, parts, 0)
        shake(backbone, 0.2)
    return backbone.eval()


@torch.no_grad()
def greedy(backbone: Backbone, ids: list[int], end: int, never: int) -> list[int]:
    """Token by token, each from a pass over the whole text so far: no cache and no padding."""
    made: list[int] = []
    while len(made) < LONGEST - 1:
        logits = backbone(input_ids=torch.tensor([[*ids, *made]])).logits[0, -1]
        logits[never] = -torch.inf
        made.append(int(logits.argmax()))
        if made[-1] == end:
            return made
    return [*made, end]


@pytest.mark.parametrize("name", PARTS)
def test_a_decoder_writes_the_same_in_any_batch(name: str, checkpoint: Callable[..., Checkpoint]) -> None:
    read = checkpoint("gpt2", "data-to-text")
    assert read.kind == "causal-lm"
    backbone, tokenizer = shaken(read, PARTS[name]), read.tokenizer
    rows = [{"input_ids": tokens(1, length, length)[0].tolist()} for length in (4, 11, 7)]
    batch = collate(rows, tokenizer.pad_token_id, before=True)
    assert batch["input_ids"][0, 0] == tokenizer.pad_token_id
    found = generated(backbone, batch, Generation(num_beams=1), LONGEST, tokenizer).tolist()
    for row, made in zip(rows, found, strict=True):
        wanted = greedy(backbone, row["input_ids"], tokenizer.eos_token_id, tokenizer.pad_token_id)
        assert made[: len(wanted)] == wanted
        assert set(made[len(wanted) :]) <= {tokenizer.pad_token_id}


@pytest.mark.parametrize("architecture", ["gpt2", "bart"])
def test_no_run_of_tokens_comes_twice(architecture: str, checkpoint: Callable[..., Checkpoint]) -> None:
    read = checkpoint(architecture, "data-to-text")
    batch = {"input_ids": tokens(4, 9, 3), "attention_mask": torch.ones(4, 9, dtype=torch.long)}

    def repeats(**settings: Any) -> int:
        made = generated(read.backbone(0), batch, Generation(num_beams=1, **settings), 24, read.tokenizer)
        pairs = [list(pairwise(row)) for row in made.tolist()]
        ends = {read.tokenizer.eos_token_id, read.tokenizer.pad_token_id}
        kept = [[pair for pair in row if not set(pair) & ends] for row in pairs]
        return sum(len(row) - len(set(row)) for row in kept)

    assert repeats() > 0 == repeats(no_repeat_ngram_size=2)


@pytest.mark.parametrize("architecture", ["gpt2", "bart"])
def test_what_is_written_does_not_depend_on_the_references(
    architecture: str, checkpoint: Callable[..., Checkpoint]
) -> None:
    read, (task, _, splits) = checkpoint(architecture, "data-to-text"), task_of("data-to-text")
    task, backbone, found = task.read_by(read.kind), read.backbone(0), []
    for references in (None, ["Nothing of it."]):
        rows = [row | {"references": references or row["references"]} for row in splits["test"]]
        encoded = task.encode(rows, read.tokenizer, 24, LONGEST)
        found.append(predict(backbone, task, rows, encoded, read.tokenizer, LONGEST))
    assert found[0] == found[1]


def test_the_copied_record_has_its_words_alone(tmp_path: Path) -> None:
    (control,) = adaptations_of(methods()["copy_record"])
    assert isinstance(control, Control)
    rows = [{"record": "team : Reds | points : 2 || team : FC : B | points : 1"}, {"record": "plain text"}]
    assert control.predict([], rows) == ["team Reds points 2 team FC B points 1", "plain text"]
