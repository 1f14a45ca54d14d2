"""Tokens that a tokenizer drops: a batch without any label adds nothing in any loop, and words keep their places."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from harness.adapt.bench import Bench
from harness.adapt.cell import run_cell
from harness.adaptations.lora import LoRA
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.base.files import write_lines
from harness.contracts.method import Train
from harness.data.kinds import IGNORED
from harness.learn.batches import Batch, collate, similar_lengths
from harness.learn.loop import train
from harness.learn.predict import predict
from harness.learn.save import attach
from harness.meta.gradient import MetaGradient, adapted, meta_gradient
from harness.meta.tasks import TaskLosses
from harness.prepare.meta import Meta
from harness.prepare.multitask import Multitask
from harness.prepare.workshop import Workshop
from tests.contract.cells import Read, labels_of, task_of
from tests.contract.probes import labelled
from tests.models import write_checkpoint

WHERE = [("bert", "token-classification", 7), ("gpt2", "token-classification", 7), ("gpt2", "causal-lm", None),
         ("bart", "summarization", None)]  # fmt: skip
SGD = Train(steps=3, lr=0.1, optimizer="sgd", schedule="constant", warmup=0, clip=1e9)
NOTHING = "\u200f"  # a mark of direction, of which BERT's tokenizer leaves nothing

where = pytest.mark.parametrize(("architecture", "kind", "labels"), WHERE)


def backbone_of(architecture: str, kind: str, labels: int | None, checkpoint: Read) -> Backbone:
    backbone = checkpoint(architecture, kind, labels).backbone(0)
    attach(backbone, [LoRA(rank=2)], 0)
    with torch.no_grad():
        for parameter in backbone.added.parameters():
            parameter.add_(0.1)
    return backbone


def without_labels(batch: Batch) -> Batch:
    return batch | {"labels": torch.full_like(batch["labels"], IGNORED)}


def values(backbone: Backbone) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in backbone.trained().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@where
def test_its_loss_and_gradient_are_exactly_zero(
    architecture: str, kind: str, labels: int | None, checkpoint: Read
) -> None:
    backbone = backbone_of(architecture, kind, labels, checkpoint)
    loss = backbone(**without_labels(labelled(backbone))).loss
    assert loss.item() == 0.0
    for gradient in torch.autograd.grad(loss, list(backbone.trained().values())):
        assert bool((gradient == 0).all())


def test_a_first_token_s_label_teaches_a_language_model_nothing(checkpoint: Read) -> None:
    backbone = backbone_of("gpt2", "causal-lm", None, checkpoint)
    batch = without_labels(labelled(backbone))
    batch["labels"][:, 0] = 5
    assert backbone(**batch).loss.item() == 0.0


def test_a_model_that_has_diverged_is_seen_all_the_same(checkpoint: Read) -> None:
    backbone = backbone_of("bert", "token-classification", 7, checkpoint)
    with torch.no_grad():
        next(iter(backbone.trained().values())).fill_(torch.nan)
    assert backbone(**without_labels(labelled(backbone))).loss.isnan()


@where
def test_the_training_loop_goes_over_it(architecture: str, kind: str, labels: int | None, checkpoint: Read) -> None:
    ends = []
    for empty in (False, True):
        backbone = backbone_of(architecture, kind, labels, checkpoint)
        batch = labelled(backbone)
        batches = [batch, *([without_labels(batch)] if empty else []), batch]
        done = train(backbone, iter(batches), SGD.model_copy(update={"steps": len(batches)}))
        assert done.last_loss is not None
        ends.append(values(backbone))
    assert same(*ends)
    assert not same(ends[0], values(backbone_of(architecture, kind, labels, checkpoint)))


def test_what_is_added_to_the_loss_is_added_there_too(checkpoint: Read) -> None:
    backbone = backbone_of("bert", "token-classification", 7, checkpoint)
    before = values(backbone)
    name = next(name for name in before if name.startswith("added."))

    def penalty(backbone: Backbone) -> Tensor:
        return backbone.trained()[name].sum()

    batch = without_labels(labelled(backbone))
    train(backbone, iter([batch]), SGD.model_copy(update={"steps": 1}), penalties=[penalty])
    moved = {its for its, value in values(backbone).items() if not torch.equal(value, before[its])}
    assert moved == {name}


# The inner loop, with one task and with several in one pass.


def parts(backbone: Backbone, tasks: int) -> tuple[TaskLosses, dict[str, Tensor], dict[str, Tensor]]:
    trained = values(backbone)
    body = {name: value.detach() for name, value in backbone.named_parameters() if name not in trained}
    start = {name: value.expand(tasks, *value.shape) for name, value in trained.items()}
    return TaskLosses(backbone, tasks), body, start


@where
def test_the_inner_loop_stands_still(architecture: str, kind: str, labels: int | None, checkpoint: Read) -> None:
    backbone = backbone_of(architecture, kind, labels, checkpoint)
    losses, body, start = parts(backbone, 1)
    batch = labelled(backbone)
    batch.pop("decoder_input_ids", None)
    empty = without_labels(batch)
    assert same(adapted(losses, body, start, [empty, empty], SGD), start)
    whole, gone_over = (adapted(losses, body, start, it, SGD) for it in ([batch, batch], [batch, empty, batch]))
    assert same(whole, gone_over)


@pytest.mark.parametrize("order", [1, 2])
@where
def test_a_task_without_labels_leaves_the_others_as_they_are(
    order: Any, architecture: str, kind: str, labels: int | None, checkpoint: Read
) -> None:
    """Two tasks in one pass, the second without a label in support and query."""
    backbone = backbone_of(architecture, kind, labels, checkpoint).double()
    batch = labelled(backbone)
    batch.pop("decoder_input_ids", None)
    both = {name: torch.cat([value, without_labels(batch)[name]]) for name, value in batch.items()}

    def found(tasks: int, batch: Batch) -> MetaGradient:
        losses, body, start = parts(backbone, tasks)
        return meta_gradient(losses, body, start, [batch, batch], batch, SGD, order)

    alone, together = found(1, batch), found(2, both)
    torch.testing.assert_close(together.losses[0], alone.losses[0])
    assert together.losses[1] == 0.0
    for name, value in alone.start.items():
        torch.testing.assert_close(together.start[name][0], value[0])
        assert bool((together.start[name][1] == 0).all())
    for name, value in alone.body.items():
        torch.testing.assert_close(together.body[name], value)


# Preparations and cells, on sentences of which a tokenizer leaves nothing.


def wordpiece() -> PreTrainedTokenizerFast:
    """A tokenizer as BERT's: it drops marks that are not written."""
    letters = [chr(letter) for letter in range(97, 123)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(WordPiece({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]",
    )  # fmt: skip


@pytest.fixture(scope="module")
def dropping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with that tokenizer."""
    folder = write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "dropping", "bert")
    for file in folder.glob("*token*"):
        file.unlink()
    wordpiece().save_pretrained(folder)
    return folder


def rows(empty: bool) -> list[dict[str, Any]]:
    """Eight sentences, or as many of nothing."""
    words = [NOTHING, NOTHING] if empty else ["ab", NOTHING, "cd"]
    tags = ["O", "O"] if empty else ["B-PER", "O", "O"]
    return [{"id": f"{empty}-{place}", "tokens": words, "tags": tags} for place in range(8)]


def test_a_cell_of_nothing_is_done(dropping: Path, tmp_path: Path) -> None:
    task, domain, _ = task_of("token-classification")
    write_lines(tmp_path / "train.jsonl", rows(empty=True))
    write_lines(tmp_path / "test.jsonl", rows(empty=True) + rows(empty=False))
    bench = Bench(task, {domain: str(tmp_path)}, [LoRA(rank=2)], Train(steps=2, batch_size=2), 32, 8, None)
    predictions, costs = run_cell(bench, domain, 4, 0, str(dropping))
    assert costs["last_loss"] == 0.0
    assert [len(tags) for tags in predictions] == [2] * 8 + [3] * 8


@pytest.mark.parametrize(
    "preparation",
    [
        Multitask(steps=4, batch_size=2),
        Meta.model_validate({"inner": {"steps": 2, "batch_size": 2}, "outer": {"iterations": 3, "query": 2}}),
        Meta.model_validate({"inner": {"steps": 2, "batch_size": 2, "optimizer": "adamw", "clip": 1.0}, "order": 2,
                             "outer": {"iterations": 3, "query": 2, "meta_batch": 1}}),
    ],
    ids=["multitask", "meta", "second order"],
)  # fmt: skip
def test_a_preparation_goes_over_it(preparation: Any, dropping: Path, tmp_path: Path) -> None:
    """One domain has nothing but such sentences, the other has labels."""
    for domain, empty in (("a", True), ("b", False)):
        write_lines(tmp_path / domain / "train.jsonl", rows(empty))
    saved = tmp_path / "saved"
    saved.mkdir()
    workshop = Workshop(
        task=task_of("token-classification")[0], backbone=dropping, folders={name: tmp_path / name for name in "ab"},
        roles={"a": "meta_train", "b": "meta_train"}, readable=["a", "b"], target=None, seed=0, max_length=24,
        target_length=8, saved_to=saved, resumed_from=tmp_path / "resume", name="it", adaptations=[LoRA(rank=2)],
    )  # fmt: skip
    preparation.prepare(workshop)
    read = Checkpoint(saved, "token-classification", labels_of("token-classification"))
    assert all(bool(value.isfinite().all()) for value in read.model.parameters())


def test_a_dropped_word_is_o_and_shifts_no_other(dropping: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, _, _ = task_of("token-classification")
    names: list[str] = task.labels  # type: ignore[assignment]
    read = Checkpoint(dropping, "token-classification", names)
    backbone = read.backbone(0)
    with torch.no_grad():  # a token's tag says which letter it is
        real = backbone.forward

        def forward(**batch: Tensor) -> Any:
            output = real(**batch)
            tag = (batch["input_ids"] - 5).clamp(0, len(names) - 1)
            output.logits = torch.nn.functional.one_hot(tag, len(names)).float()
            return output

        monkeypatch.setattr(backbone, "forward", forward)
    examples = [
        {"id": "0", "tokens": [NOTHING, "b", NOTHING, "c", "d", NOTHING], "tags": ["O"] * 6},
        {"id": "1", "tokens": [NOTHING], "tags": ["O"]},
        {"id": "2", "tokens": ["e", "f"], "tags": ["O"] * 2},
    ]
    features = task.encode(examples, read.tokenizer, 32, 8)
    found = predict(backbone, task, examples, features, read.tokenizer, 8)
    assert found == [["O", names[1], "O", names[2], names[3], "O"], ["O"], [names[4], names[5]]]


def test_logits_for_other_tokens_than_were_read_are_an_error(checkpoint: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, architecture in (("token-classification", "bert"), ("causal-lm", "gpt2")):
        task, _, splits = task_of(kind)  # type: ignore[arg-type]
        read = checkpoint(architecture, kind, len(task.labels) if task.labels else None)
        backbone = read.backbone(0)
        features = task.encode(splits["test"], read.tokenizer, 32, 8)
        real = backbone.forward

        def longer(real: Any = real, **batch: Tensor) -> Any:
            output = real(**batch)
            output.logits = torch.cat([output.logits[:, :4], output.logits], 1)
            return output

        monkeypatch.setattr(backbone, "forward", longer)
        with pytest.raises(ValueError, match="the model gives logits for"):
            predict(backbone, task, splits["test"], features, read.tokenizer, 8)


@where
def test_a_text_of_nothing_is_padding(architecture: str, kind: str, labels: int | None, checkpoint: Read) -> None:
    """As with a tokenizer that has no start and end signs."""
    backbone = backbone_of(architecture, kind, labels, checkpoint)
    empty, full = {"input_ids": [], "labels": [IGNORED]}, {"input_ids": [5, 6, 7], "labels": [1, 2, 3]}
    assert backbone(**collate([empty], 1)).loss.item() == 0.0
    both, alone = (backbone(**collate(texts, 1)).loss for texts in ([empty, full], [full]))
    torch.testing.assert_close(both, alone)


def test_no_example_at_all_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(ValueError, match="there is nothing to train on"):
        next(similar_lengths([], 4, Random(0)))
