"""TAMS on whole models against plain computations: its embedding, its padding, its noise, its report."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.adaptations.lora import LoRA
from harness.adaptations.tams import Tams
from harness.adaptations.tams_cell import (
    EDGE_NAMES,
    Cell,
    structure_of,
)
from harness.adaptations.tams_pass import controller_of
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.base.errors import Unsupported
from harness.learn.save import attach
from tests.contract.cells import Read, shake
from tests.contract.probes import batch_for, generated, logits, tokens
from tests.contract.structures import SPREAD_OUT, set_structure
from tests.models import LAYERS
from tests.parity.everywhere import everywhere

REDUCED = 5


@everywhere
def test_z_is_the_mean_embedding_of_all_tokens(architecture: str, kind: Any, labels: Any, checkpoint: Read) -> None:
    backbone = tams_on(checkpoint(architecture, kind, labels))
    bare = checkpoint(architecture, kind, labels).backbone(0).model.base_model
    shake(backbone)  # what the cells hold must not show in z
    batches = [padded_batch(lengths) for lengths in ([4, 9], [6, 3, 5])]
    modes = [module.training for module in backbone.modules()]
    Tams().observe(backbone, batches)
    assert [module.training for module in backbone.modules()] == modes
    rows = []
    for batch in batches:
        for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
            alone = ids[: int(mask.sum())]
            if architecture == "bart":
                rows += list(bare.encoder(input_ids=alone[None]).last_hidden_state[0])
            else:
                rows += [bare.get_input_embeddings().weight[token] for token in alone]
    assert len(rows) == 27
    torch.testing.assert_close(controller_of(backbone).embedding, torch.stack(rows).mean(0), rtol=1e-4, atol=1e-5)


@everywhere
def test_z_may_be_read_before_the_first_layer(architecture: str, kind: Any, labels: Any, checkpoint: Read) -> None:
    backbone = tams_on(checkpoint(architecture, kind, labels))
    bare: Any = checkpoint(architecture, kind, labels).backbone(0).model.base_model
    batch = padded_batch([4, 9])
    Tams(embed="first_layer").observe(backbone, [batch])
    body = bare.encoder if architecture == "bart" else bare
    states = body(**batch, output_hidden_states=True).hidden_states[0]
    wanted = torch.cat([states[0, :4], states[1, :9]]).mean(0)
    torch.testing.assert_close(controller_of(backbone).embedding, wanted, rtol=1e-4, atol=1e-5)
    other = tams_on(checkpoint(architecture, kind, labels))
    Tams().observe(other, [batch])
    assert not torch.allclose(controller_of(other).embedding, wanted, atol=1e-3)


def tams_on(read: Checkpoint, **options: Any) -> Backbone:
    """A fresh backbone with TAMS."""
    backbone = read.backbone(0)
    attach(backbone, [Tams(width=REDUCED, **options)], 0)
    return backbone


def padded_batch(lengths: list[int], left: bool = False) -> dict[str, Tensor]:
    longest = max(lengths)
    mask = torch.tensor([[int(place < length) for place in range(longest)] for length in lengths])
    return {"input_ids": tokens(len(lengths), longest), "attention_mask": mask.flip(1) if left else mask}


@everywhere
def test_a_sentence_does_not_feel_the_others_padding(
    architecture: str, kind: Any, labels: Any, checkpoint: Read
) -> None:
    check_padding(tams_on(checkpoint(architecture, kind, labels)), padded_batch([4, 9]))


def test_padding_on_the_left_is_not_felt_either(checkpoint: Read) -> None:
    batch = padded_batch([4, 9], left=True)
    places = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
    check_padding(tams_on(checkpoint("gpt2", "causal-lm")), batch | {"position_ids": places})


def check_padding(backbone: Backbone, batch: dict[str, Tensor]) -> None:
    """The logits of two sentences together are those of each alone."""
    shake(backbone, 0.3)
    set_structure(backbone)
    mask = batch["attention_mask"].bool()
    decoder = {"decoder_input_ids": tokens(2, 6, seed=5)} if backbone.kind == "summarization" else {}
    together = logits(backbone, batch | decoder)
    for row in range(2):
        ids = batch["input_ids"][row, mask[row]][None]
        alone = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        its = together[row] if decoder else together[row, mask[row]]
        wanted = logits(backbone, alone | {name: value[row : row + 1] for name, value in decoder.items()})[0]
        torch.testing.assert_close(its, wanted, rtol=1e-4, atol=1e-4)


@everywhere
def test_noise_is_drawn_once_a_pass_and_in_training_alone(
    architecture: str, kind: Any, labels: Any, checkpoint: Read
) -> None:
    backbone = tams_on(checkpoint(architecture, kind, labels))
    shake(backbone, 0.1)
    given: list[Any] = []
    call = backbone.call

    def watched(module: nn.Module, *inputs: Tensor, shared: tuple[Any, ...] = ()) -> Any:
        given.extend([shared[0]] if isinstance(module, Cell) else [])
        return call(module, *inputs, shared=shared)

    backbone.call = watched  # type: ignore[method-assign]
    layers = LAYERS * len(backbone.anatomy.stacks)
    batch = batch_for(backbone)

    def passed() -> Any:
        given.clear()
        backbone(**batch)
        assert len(given) == layers
        assert all(gates is given[0] for gates in given)
        return given[0]

    backbone.train()
    torch.manual_seed(3)
    one, two = passed(), passed()
    torch.manual_seed(3)
    again = passed()
    assert torch.equal(one, again)
    assert not torch.equal(one, two)
    assert set(one.unique().tolist()) == {0.0, 1.0}

    backbone.eval()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    settled = structure_of(controller_of(backbone)())
    assert structure_of(passed()) == settled
    with torch.no_grad():
        assert passed() == settled
    assert torch.equal(torch.get_rng_state(), before)


def test_soft_gates_have_no_noise_and_no_choice(checkpoint: Read) -> None:
    backbone = tams_on(checkpoint("gpt2", "causal-lm"), gates="soft")
    shake(backbone, 0.1)
    batch = batch_for(backbone)
    evaluated = logits(backbone, batch)
    backbone.train()
    with torch.no_grad():
        torch.testing.assert_close(backbone(**batch).logits, evaluated, rtol=0, atol=0)
    hard = tams_on(checkpoint("gpt2", "causal-lm"))
    hard.load_state_dict(backbone.state_dict())
    assert (logits(hard, batch) - evaluated).abs().max() > 1e-3


def test_a_frozen_controller_neither_trains_nor_explores(checkpoint: Read) -> None:
    backbone = tams_on(checkpoint("gpt2", "causal-lm"), controller="frozen")
    assert not any("controller" in name for name in backbone.trained())
    assert any("ffn" in name for name in backbone.trained())
    shake(backbone, 0.1)
    batch = batch_for(backbone)
    settled = logits(backbone, batch)
    backbone.train()
    before = torch.get_rng_state()
    torch.testing.assert_close(backbone(**batch).logits, settled)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_controller_learns(checkpoint: Read) -> None:
    backbone = tams_on(checkpoint("gpt2", "causal-lm"))
    shake(backbone, 0.1)
    Tams().observe(backbone, [padded_batch([4, 9])])
    backbone.train()
    batch = batch_for(backbone)
    backbone(**batch, labels=batch["input_ids"]).loss.backward()
    for name, parameter in controller_of(backbone).named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0, name
    assert not controller_of(backbone).embedding.requires_grad


def test_the_report_names_what_evaluation_uses(checkpoint: Read) -> None:
    backbone = tams_on(checkpoint("gpt2", "causal-lm"))
    set_structure(backbone)
    assert Tams().report(backbone) == {"tams_structure": dict(zip(EDGE_NAMES, SPREAD_OUT, strict=True))}


def test_a_cache_is_refused_where_cells_read_later_tokens(checkpoint: Read) -> None:
    backbone = tams_on(checkpoint("bart", "summarization"), padding="symmetric")
    generated(backbone)
    with pytest.raises(Unsupported, match="use_cache=False"):
        backbone.model.generate(input_ids=tokens(1, 5), use_cache=True, max_new_tokens=3)
    generated(backbone)  # a refused pass leaves nothing behind


@everywhere
def test_cells_come_after_what_layers_add_in_either_order(
    architecture: str, kind: Any, labels: Any, checkpoint: Read
) -> None:
    one, other = (checkpoint(architecture, kind, labels).backbone(0) for _ in range(2))
    tams, lora = Tams(width=REDUCED), LoRA(rank=2, targets="ffn")
    attach(one, [tams, lora], 0)
    attach(other, [lora, tams], 0)
    shake(one, 0.2)
    assert set(one.added) == set(other.added)
    other.load_state_dict(one.state_dict())
    set_structure(one)
    set_structure(other)
    torch.testing.assert_close(logits(one), logits(other))
