"""Losses and answers of whole texts against the library's own, and heads that hold the labels of several domains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import BartForSequenceClassification

from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.backbone.losses import text_losses
from harness.learn.batches import Batch, collate
from harness.meta.tasks import task_means
from tests.contract.cells import Read

KIND: Any = "sequence-classification"
ARCHITECTURES = ["bert", "roberta", "gpt2", "bart"]
TEXTS = [("The harbour is old .", "It is new ."), ("A river", "and a bridge near the town"), ("We ate soup .", "No .")]


def batch_of(read: Checkpoint, pairs: bool = True) -> Batch:
    coded = [read.tokenizer(*(both if pairs else both[:1])) for both in TEXTS]
    return collate([dict(its) for its in coded], read.tokenizer.pad_token_id)


def labels_for(answers: list[float], rows: int, first: int = 0) -> torch.Tensor:
    return torch.tensor([[first, rows, answer] for answer in answers])


def by_library(backbone: Backbone, batch: Batch, labels: torch.Tensor) -> torch.Tensor:
    batch = batch if backbone.segments else {name: its for name, its in batch.items() if name != "token_type_ids"}
    model: Any = backbone.model
    if model.config.model_type == "bart":
        plain = BartForSequenceClassification(model.config)
        plain.load_state_dict(model.state_dict())
        model = plain.eval()
    model.config.problem_type = None
    found: torch.Tensor = model(**batch, labels=labels).loss
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_of_one_domain_is_the_librarys(architecture: str, checkpoint: Read) -> None:
    read = checkpoint(architecture, KIND, 3)
    backbone, batch = read.backbone(0), batch_of(read)
    own = backbone(**batch, labels=labels_for([2, 0, 1], 3)).loss
    assert own.item() == pytest.approx(by_library(backbone, batch, torch.tensor([2, 0, 1])).item(), abs=1e-6)
    read = checkpoint(architecture, KIND, 1)
    backbone, batch = read.backbone(0), batch_of(read)
    own = backbone(**batch, labels=labels_for([0.5, 4.0, 2.25], 1)).loss
    assert own.item() == pytest.approx(by_library(backbone, batch, torch.tensor([0.5, 4.0, 2.25])).item(), abs=1e-6)


def test_a_domain_learns_its_own_rows_of_a_head_alone() -> None:
    logits = torch.randn(3, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([[0.0, 2, 1], [2, 3, 0], [5, 1, 2.5]])
    losses = text_losses(logits, labels)
    wanted = [
        functional.cross_entropy(logits[:1, :2], torch.tensor([1])),
        functional.cross_entropy(logits[1:2, 2:5], torch.tensor([0])),
        (logits[2, 5] - 2.5) ** 2,
    ]
    assert torch.allclose(losses, torch.stack(wanted))
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert (logits.grad != 0).tolist() == [
        [True] * 2 + [False] * 4,
        [False] * 2 + [True] * 3 + [False],
        [False] * 5 + [True],
    ]


def test_a_pass_of_several_tasks_has_each_ones_own_mean() -> None:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    labels = labels_for([0, 1, 2, 2], 3)
    whole = task_means(KIND, logits, labels, 2)
    assert torch.allclose(whole, text_losses(logits, labels).reshape(2, 2).mean(1))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("pairs", [True, False])
def test_padding_changes_no_answer(architecture: str, pairs: bool, checkpoint: Read) -> None:
    read = checkpoint(architecture, KIND, 3)
    backbone, batch = read.backbone(0), batch_of(read, pairs)
    together = backbone(**batch).logits
    for place in range(len(TEXTS)):
        length = int(batch["attention_mask"][place].sum())
        alone = backbone(**{name: its[place : place + 1, :length] for name, its in batch.items()}).logits
        assert torch.allclose(alone, together[place : place + 1], atol=1e-5)


def test_one_text_and_two_share_a_batch_of_an_encoder_decoder(checkpoint: Read) -> None:
    """The library's own model refuses texts with unlike numbers of end signs."""
    read = checkpoint("bart", KIND, 3)
    backbone = read.backbone(0)
    coded = [dict(read.tokenizer("A river")), dict(read.tokenizer("A river", "a bridge"))]
    together = backbone(**collate(coded, read.tokenizer.pad_token_id)).logits
    for place, one in enumerate(coded):
        alone = backbone(**collate([one], read.tokenizer.pad_token_id)).logits
        assert torch.allclose(alone[0], together[place], atol=1e-5)


def test_a_decoder_answers_at_its_last_token(checkpoint: Read) -> None:
    read = checkpoint("gpt2", KIND, 3)
    backbone, batch = read.backbone(0), batch_of(read)
    model: Any = backbone.model
    hidden = model.transformer(batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    last = batch["attention_mask"].sum(1) - 1
    wanted = hidden[torch.arange(len(last)), last] @ model.score.weight.T
    assert torch.allclose(backbone(**batch).logits, wanted, atol=1e-5)


def test_an_encoder_reads_of_which_text_a_token_is(checkpoint: Read) -> None:
    read = checkpoint("bert", KIND, 3)
    backbone = read.backbone(0)
    coded = [dict(read.tokenizer(*both, return_token_type_ids=True)) for both in TEXTS]
    batch = collate(coded, read.tokenizer.pad_token_id)
    assert batch["token_type_ids"].any()
    other = backbone(**{**batch, "token_type_ids": torch.zeros_like(batch["token_type_ids"])}).logits
    assert not torch.allclose(backbone(**batch).logits, other)


def test_a_head_of_two_layers_is_sorted_in_its_last_alone(checkpoint_folder: Any, tmp_path: Any) -> None:
    """A stored head whose labels stand in another order is taken over row by row."""
    for architecture in ("roberta", "bart", "gpt2"):
        first = Checkpoint(checkpoint_folder(architecture), KIND, ["x", "y", "z"])
        backbone = first.backbone(3)
        folder = tmp_path / architecture
        backbone.model.save_pretrained(folder)  # type: ignore[operator]
        first.tokenizer.save_pretrained(folder)
        again = Checkpoint(folder, KIND, ["z", "x", "y"])
        assert not again.fresh
        batch = batch_of(first)
        assert torch.allclose(again.backbone(0)(**batch).logits, backbone(**batch).logits[:, [2, 0, 1]], atol=1e-6)
        assert Checkpoint(folder, KIND, ["p", "q"]).fresh == first.head


def test_a_pooler_that_is_stored_is_of_the_body(checkpoint_folder: Any, tmp_path: Any) -> None:
    first = Checkpoint(checkpoint_folder("bert"), KIND, ["x", "y"])
    pooler = {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert first.fresh == first.head == pooler | {"classifier.weight", "classifier.bias"}
    assert all(first.backbone(0).is_head(f"model.{name}") for name in first.head)
    assert not first.backbone(0).is_head("model.bert.encoder.layer.0.output.dense.weight")
    first.backbone(0).model.save_pretrained(tmp_path)  # type: ignore[operator]
    first.tokenizer.save_pretrained(tmp_path)
    again = Checkpoint(tmp_path, KIND, ["p", "q", "r"])
    assert again.fresh == again.head == {"classifier.weight", "classifier.bias"}
