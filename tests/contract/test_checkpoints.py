"""What is read of a checkpoint: float32 everywhere, a head by its labels' names, and what is missing by its seed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForTokenClassification

from harness.adapt.bench import Bench
from harness.adapt.cell import run_cell
from harness.backbone.load import CLASSES, Checkpoint, load_model
from harness.base.files import write_lines
from harness.contracts.discover import methods
from harness.contracts.method import Train
from harness.learn.loop import train
from harness.learn.resume import Resume
from harness.parts.build import adaptations_of
from harness.prepare.dapt import Dapt
from harness.prepare.multitask import Multitask
from harness.prepare.pretraining import load_for_pretraining
from tests import odd
from tests.contract.cells import labels_of, task_of
from tests.contract.probes import logits
from tests.contract.test_preparations import workshop_for

KINDS: dict[str, Any] = {"bert": "token-classification", "gpt2": "causal-lm", "bart": "summarization"}
HALVES = [torch.float16, torch.bfloat16]
LABELS = labels_of("token-classification")
assert LABELS is not None
Folder = Callable[[str], Path]


def copied(tmp_path: Path, checkpoint_folder: Folder, architecture: str) -> Path:
    return Path(shutil.copytree(checkpoint_folder(architecture), tmp_path / architecture))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("architecture", KINDS)
def test_half_precision_is_read_as_float32(
    architecture: str, dtype: torch.dtype, checkpoint_folder: Folder, tmp_path: Path
) -> None:
    folder = copied(tmp_path, checkpoint_folder, architecture)
    odd.halved(folder, dtype)
    stored = load_file(folder / "model.safetensors")
    read = Checkpoint(folder, KINDS[architecture], labels_of(KINDS[architecture]))
    further, *_ = load_for_pretraining(folder, 0)
    for model in (read.model, read.backbone(0).model, further, read.outline().model):
        assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
        assert model.config.dtype == torch.float32
    for name, value in read.model.named_parameters():
        assert name in read.fresh or torch.equal(value, stored[name].float())
    assert torch.isfinite(logits(read.backbone(0))).all()


@pytest.mark.parametrize("architecture", KINDS)
def test_what_a_preparation_makes_of_half_precision_is_float32(
    architecture: str, checkpoint_folder: Folder, tmp_path: Path
) -> None:
    folder = copied(tmp_path, checkpoint_folder, architecture)
    odd.halved(folder, torch.float16)
    preparation = Dapt(steps=1, batch_size=2)
    workshop = workshop_for(tmp_path, architecture, folder, preparation, (), "t")
    preparation.prepare(workshop)
    assert {value.dtype for value in load_file(workshop.saved_to / "model.safetensors").values()} == {torch.float32}
    assert json.loads((workshop.saved_to / "config.json").read_text())["dtype"] == "float32"


def with_head(folder: Path, names: tuple[str, ...] | None, size: int) -> tuple[Tensor, Tensor]:
    """Save the checkpoint with a trained head, whose labels have `names`; returns its weight and its bias."""
    options: dict[str, Any] = {"num_labels": size}
    if names:
        options |= {"id2label": dict(enumerate(names)), "label2id": {name: place for place, name in enumerate(names)}}
    model = AutoModelForTokenClassification.from_pretrained(folder, **options)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.classifier.parameters():
            value.normal_(generator=generator)
    model.save_pretrained(folder)
    return model.classifier.weight.detach(), model.classifier.bias.detach()


@pytest.mark.parametrize("names", [LABELS, tuple(sorted(LABELS)), LABELS[::-1]], ids=["same", "sorted", "reversed"])
def test_a_head_is_taken_over_by_its_labels_names(
    names: tuple[str, ...], checkpoint_folder: Folder, tmp_path: Path
) -> None:
    assert LABELS is not None
    folder = copied(tmp_path, checkpoint_folder, "bert")
    weight, bias = with_head(folder, names, len(names))
    read = Checkpoint(folder, "token-classification", LABELS)
    assert read.fresh == frozenset()
    assert read.head == {"classifier.weight", "classifier.bias"}
    for seed in (1, 2):
        head: Any = read.backbone(seed).model.classifier
        for row, label in enumerate(LABELS):
            assert torch.equal(head.weight[row], weight[names.index(label)])
            assert head.bias[row] == bias[names.index(label)]
    assert [read.model.config.id2label[row] for row in range(len(LABELS))] == list(LABELS)


@pytest.mark.parametrize(
    ("names", "size"),
    [(None, 7), (("O", "B-A", "I-A", "B-B", "I-B", "B-C", "I-C"), 7), ((*LABELS, "B-MISC", "I-MISC"), 9), (None, 2)],
    ids=["no names", "other names", "more labels", "another size"],
)
def test_a_head_of_other_labels_is_drawn_from_the_seed(
    names: tuple[str, ...] | None, size: int, checkpoint_folder: Folder, tmp_path: Path
) -> None:
    folder = copied(tmp_path, checkpoint_folder, "bert")
    with_head(folder, names, size)
    read = Checkpoint(folder, "token-classification", LABELS)
    plain = Checkpoint(checkpoint_folder("bert"), "token-classification", LABELS)
    assert read.fresh == read.head == plain.fresh == {"classifier.weight", "classifier.bias"}
    for seed in (1, 2):
        one: Any = read.backbone(seed).model.classifier
        other: Any = plain.backbone(seed).model.classifier
        assert torch.equal(one.weight, other.weight)
        assert torch.equal(one.bias, other.bias)
    assert not torch.equal(*(read.backbone(seed).model.classifier.weight for seed in (1, 2)))


def test_a_head_that_a_preparation_trained_is_kept(checkpoint_folder: Folder, tmp_path: Path) -> None:
    preparation = Multitask(steps=2, batch_size=2)
    workshop = workshop_for(tmp_path, "bert", checkpoint_folder("bert"), preparation, (), None)
    preparation.prepare(workshop)
    assert workshop.drawn == {"classifier.weight", "classifier.bias"}
    read = Checkpoint(workshop.saved_to, "token-classification", LABELS)
    assert read.fresh == frozenset()
    stored = load_file(workshop.saved_to / "model.safetensors")
    head: Any = read.backbone(5).model.classifier
    assert torch.equal(head.weight, stored["classifier.weight"])
    assert set(json.loads((workshop.saved_to / "config.json").read_text())["id2label"].values()) == set(LABELS or ())


def test_a_cell_tells_what_was_drawn(checkpoint_folder: Folder, tmp_path: Path) -> None:
    assert LABELS is not None
    task, domain, splits = task_of("token-classification")
    for split in ("train", "test"):
        write_lines(tmp_path / f"{split}.jsonl", splits[split])
    drawn = []
    for name, names in (("one", LABELS[::-1]), ("other", None)):
        (tmp_path / name).mkdir()
        folder = copied(tmp_path / name, checkpoint_folder, "bert")
        with_head(folder, names, len(LABELS))
        bench = Bench(task, {domain: str(tmp_path)}, adaptations_of(methods()["lora"]), Train(steps=1), 24, 8, 2)  # type: ignore[arg-type]
        _, costs = run_cell(bench, domain, 2, 0, str(folder))
        drawn.append(costs["report"]["drawn"])
    assert drawn == [[], ["classifier.bias", "classifier.weight"]]


def tensors(model: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def untied(folder: Path) -> None:
    """A body of GPT-2 whose language-modelling head would not be its embeddings."""
    odd.bared(folder, "gpt2")
    odd.config(folder, tie_word_embeddings=False)


BARE = {
    "bert": lambda folder: odd.bared(folder, "bert"),
    "gpt2": untied,
    "bart": lambda folder: odd.bared(folder, "bart"),
}
LACKS = {"bert": "cls.predictions.transform.dense.weight", "gpt2": "lm_head.weight", "bart": None}


@pytest.mark.parametrize("architecture", BARE)
def test_the_head_that_a_bare_body_lacks_comes_from_the_seed(
    architecture: str, checkpoint_folder: Folder, tmp_path: Path
) -> None:
    folder = copied(tmp_path, checkpoint_folder, architecture)
    BARE[architecture](folder)
    torch.manual_seed(1)
    one, _, drawn = load_for_pretraining(folder, 5)
    before = torch.get_rng_state()
    torch.manual_seed(2)
    again, _, _ = load_for_pretraining(folder, 5)
    other, _, _ = load_for_pretraining(folder, 6)
    assert same(tensors(one), tensors(again))
    torch.manual_seed(1)
    assert torch.equal(before, torch.get_rng_state()), "what is drawn elsewhere is not moved"
    lacking = LACKS[architecture]
    assert (lacking in drawn) if lacking else not drawn
    if lacking:
        moved = {name for name, value in tensors(other).items() if not torch.equal(value, tensors(one)[name])}
        assert lacking in moved <= drawn
    for name, value in one.named_parameters():
        if "LayerNorm.weight" in name and name in drawn:
            assert torch.equal(value, torch.ones_like(value)), "a norm begins as in a new model"


def test_a_cell_on_a_body_without_its_head_draws_it_from_the_seed(checkpoint_folder: Folder, tmp_path: Path) -> None:
    folder = copied(tmp_path, checkpoint_folder, "gpt2")
    untied(folder)
    read = Checkpoint(folder, "causal-lm")
    assert read.fresh == {"lm_head.weight"}
    one, again, other = (read.backbone(seed).model.lm_head.weight for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_weight_of_another_shape_is_never_drawn_anew(checkpoint_folder: Folder, tmp_path: Path) -> None:
    folder = copied(tmp_path, checkpoint_folder, "gpt2")
    odd.weights(folder, lambda found: found | {"lm_head.weight": torch.zeros(7, 32)})
    odd.config(folder, tie_word_embeddings=False)
    with pytest.raises(Exception, match=r"the shape of the weight lm_head\.weight is \[7, 32\]"):
        load_model(CLASSES["causal-lm"], folder, 0)


@pytest.mark.parametrize("preparation", [Dapt(steps=4, batch_size=2), Multitask(steps=4, batch_size=2)], ids=repr)
def test_the_same_seed_gives_the_same_bytes_however_it_was_cut(
    preparation: Any, checkpoint_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a bare body with dropout: after another seed, alone in a new process, and killed on the way."""
    folder = copied(tmp_path, checkpoint_folder, "bert")
    odd.bared(folder, "bert")
    odd.config(folder, hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.3)
    target = "t" if preparation.per_domain else None

    class Killed(Exception):
        pass

    def made(name: str, noise_before: int, stop_at: int | None = None) -> bytes:
        (tmp_path / name).mkdir(exist_ok=True)
        workshop = workshop_for(tmp_path / name, "bert", folder, preparation, (), target)
        kept, keep = 0, Resume.keep

        def counted(self: Resume, **state: Any) -> None:
            nonlocal kept
            self.seconds, kept = 0.0, kept + 1
            keep(self, **state)
            if kept == stop_at:
                raise Killed

        torch.manual_seed(noise_before)
        with monkeypatch.context() as patch:
            patch.setattr(Resume, "keep", counted)
            preparation.prepare(workshop)
        return (workshop.saved_to / "model.safetensors").read_bytes()

    whole = made("whole", 1)
    assert made("after another", 2) == whole
    with pytest.raises(Killed):
        made("cut", 3, stop_at=2)
    assert made("cut", 4) == whole


def test_a_training_that_may_be_stopped_names_its_noise(checkpoint: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="noise"):
        train(checkpoint("gpt2", "causal-lm").backbone(0), iter([]), Train(steps=1), resume=Resume(tmp_path / "state"))
