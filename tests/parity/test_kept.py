"""A training that keeps the states of frozen layers against one that runs these layers at every step."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.adapt.cell import training_batches
from harness.backbone.backbone import Backbone
from harness.contracts.method import Kind, Train
from harness.data.task import Features
from harness.learn import kept
from harness.learn.kept import Kept, Shelf
from harness.learn.loop import train
from harness.learn.save import attach
from tests.contract.cells import Case, Read, parts_of

CASES: list[tuple[str, Kind]] = [
    ("bert", "token-classification"),
    ("roberta", "token-classification"),
    ("gpt2", "token-classification"),
    ("gpt2", "causal-lm"),
    ("bart", "summarization"),
]
PAD, SIZE, STEPS = 0, 2, 7
SETTINGS = Train(steps=STEPS, batch_size=SIZE, lr=1e-2)


def features(kind: Kind) -> list[Features]:
    """Five sentences of different lengths, of which the tokenizer left nothing of the last; answers of others."""
    rng, rows = Random(0), []
    for length in (9, 3, 6, 5, 0):
        ids = [rng.randrange(5, 300) for _ in range(length)]
        answer = [rng.randrange(5, 300) for _ in range(3 + length % 4)] if kind == "summarization" else ids
        rows.append({"input_ids": ids, "labels": [token % 7 for token in ids] if kind.startswith("token") else answer})
    return rows


def adapted(read: Read, architecture: str, kind: Kind, method: str, dropout: float) -> Backbone:
    """A backbone in double precision, with dropout everywhere, of which `top2` trains the last layer alone."""
    backbone = read(architecture, kind, 7 if kind.startswith("token") else None).backbone(0)
    case = Case(method, architecture, kind)
    attach(backbone, [part.model_copy(update={"layers": 1} if method == "top2" else {}) for part in parts_of(case)], 0)
    for module in backbone.modules():
        for name in ("dropout", "attention_dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, dropout)
        if isinstance(module, nn.Dropout):
            module.p = dropout
    return backbone.double()


def trained(
    backbone: Backbone, rows: list[Features], after_step: Any = None, shelf: Shelf | None = None, origin: str = "these"
) -> tuple[list[float], dict[str, Tensor], int]:
    """The losses, what was trained, and of how many sentences states are kept at the end."""
    losses: list[float] = []
    torch.manual_seed(3)
    states = Kept(backbone, rows, PAD, STEPS * SIZE, shelf, origin)
    batches = training_batches(backbone, rows, states, SIZE, PAD, Random(1))
    after = [after_step] if after_step else []
    train(backbone, batches, SETTINGS, lambda _, loss: losses.append(loss), after_step=after)
    return losses, {name: value.detach() for name, value in backbone.trained().items()}, len(states.rows)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("method", ["head", "adapter_last", "top2"])
@pytest.mark.parametrize(("architecture", "kind"), CASES)
def test_kept_states_train_to_the_same_values(
    architecture: str, kind: Kind, method: str, dropout: float, checkpoint: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    if method == "head" and kind != "token-classification":
        pytest.skip("there is no new head")
    rows = features(kind)
    once = trained(adapted(checkpoint, architecture, kind, method, dropout), rows)
    monkeypatch.setattr(kept, "MOST", 0)
    anew = trained(adapted(checkpoint, architecture, kind, method, dropout), rows)
    assert (once[2], anew[2]) == (len(rows), 0)
    assert once[0] == pytest.approx(anew[0], rel=1e-6)
    for name, value in once[1].items():
        torch.testing.assert_close(value, anew[1][name], rtol=1e-5, atol=1e-7, msg=name)


def spoil(backbone: Backbone, step: int, _: int) -> None:
    """What no adaptation should do and any can: change a weight that is frozen, here of the embeddings, on the way."""
    if step == 3:
        with torch.no_grad():
            next(backbone.body.parameters()).mul_(-1.0)


def test_states_of_weights_that_change_are_kept_no_more(checkpoint: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = features("token-classification")
    once = trained(adapted(checkpoint, "bert", "token-classification", "head", 0.0), rows, spoil)
    monkeypatch.setattr(kept, "MOST", 0)
    anew = trained(adapted(checkpoint, "bert", "token-classification", "head", 0.0), rows, spoil)
    assert once[2] == 0
    assert once[0] == pytest.approx(anew[0], rel=1e-6)


def counted(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sentences that each layer reads, as they are read."""
    layers = [layer for _, _, layer in backbone.layers()]
    read = [0 for _ in layers]
    real = type(layers[0]).forward

    def counting(layer: nn.Module, states: Tensor, *inputs: Any, **options: Any) -> Any:
        read[layers.index(layer)] += len(states)
        return real(layer, states, *inputs, **options)

    monkeypatch.setattr(type(layers[0]), "forward", counting)
    return read


def test_frozen_layers_run_once_a_sentence(checkpoint: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = adapted(checkpoint, "bert", "token-classification", "top2", 0.0)
    read = counted(backbone, monkeypatch)
    trained(backbone, features("token-classification"))
    assert read == [5, 5 + 12], "seven batches of two, two and one"


@pytest.mark.parametrize(("architecture", "kind"), CASES)
def test_what_stands_on_the_shelf_is_the_same(
    architecture: str, kind: Kind, checkpoint: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, shelf = features(kind), Shelf()
    first = trained(adapted(checkpoint, architecture, kind, "adapter_last", 0.2), rows, shelf=shelf)
    backbone = adapted(checkpoint, architecture, kind, "adapter_last", 0.2)
    read = counted(backbone, monkeypatch)
    second = trained(backbone, rows, shelf=shelf)
    assert (first[0], first[2]) == (second[0], second[2])
    for name, value in first[1].items():
        assert torch.equal(value, second[1][name]), name
    assert read[0] == 1, "one pass over one sentence shows what else the layers give"
    monkeypatch.undo()
    third = trained(adapted(checkpoint, architecture, kind, "top2", 0.2), rows, shelf=shelf)
    alone = trained(adapted(checkpoint, architecture, kind, "top2", 0.2), rows)
    assert third[0] == alone[0], "other layers are frozen: other states"


def test_other_sentences_have_states_of_their_own(checkpoint: Read) -> None:
    rows, shelf = features("token-classification"), Shelf()
    others = [{**row, "input_ids": row["input_ids"][::-1]} for row in rows]
    found = []
    for origin, its, where in (("these", rows, shelf), ("others", others, shelf), ("others", others, None)):
        backbone = adapted(checkpoint, "bert", "token-classification", "adapter_last", 0.0)
        found.append(trained(backbone, its, shelf=where, origin=origin)[0])
    assert found[0] != found[1] == found[2]


def test_a_full_shelf_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 8 * 4)
    shelf = Shelf()
    for origin in ("one", "two", "three"):
        shelf.hold(origin, [{"states": torch.zeros(2, 2)}])
    assert set(shelf.held) == {"one", "two"}


@pytest.mark.parametrize(
    ("reads", "bound", "many"), [(6, 1 << 20, 5), (5, 1 << 20, 0), (6, 23 * 32 * 4, 5), (6, 23 * 32 * 4 - 1, 0)]
)
def test_states_are_kept_where_that_saves_time_and_fits(
    reads: int, bound: int, many: int, checkpoint: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST", bound)
    rows = features("token-classification")
    assert sum(len(row["input_ids"]) for row in rows) == 23
    backbone = adapted(checkpoint, "bert", "token-classification", "head", 0.0)
    assert len(Kept(backbone, rows, PAD, reads).rows) == many
    whole = adapted(checkpoint, "bert", "token-classification", "lora", 0.0)
    assert not Kept(whole, rows, PAD, reads).rows
