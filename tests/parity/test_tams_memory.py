"""Generation with a cache, in which TAMS's cells keep what they read of earlier tokens, against whole passes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.adaptations.tams import Tams
from harness.adaptations.tams_cell import Cell
from harness.adaptations.tams_memory import REACH
from harness.backbone.backbone import Backbone
from harness.learn.save import attach
from tests.contract.cells import Read, shake
from tests.contract.probes import batch_for, beams, generated, logits
from tests.contract.structures import set_structure

NEW = REACH + 8  # tokens: more than a cell reads
TRUE = {"do_sample": False, "max_new_tokens": NEW, "min_new_tokens": NEW}


def with_tams(read: Any, architecture: str, kind: Any, **options: Any) -> Backbone:
    """An evaluated backbone whose cells do something, convolutions one after the other among it."""
    backbone: Backbone = read(architecture, kind).backbone(0)
    attach(backbone, [Tams(width=8, **options)], 0)
    shake(backbone, 0.2)
    set_structure(backbone)
    backbone.eval()
    return backbone


@pytest.mark.parametrize("gates", ["straight_through", "soft"])
def test_generation_is_teacher_forcing_beyond_what_a_cell_reads(gates: str, checkpoint: Read) -> None:
    backbone = with_tams(checkpoint, "bart", "summarization", gates=gates)
    made, chosen_by, batch = generated(backbone, steps=NEW)
    forced = logits(backbone, {**batch, "decoder_input_ids": made[:, :-1]})
    torch.testing.assert_close(forced, chosen_by, rtol=1e-4, atol=1e-4)


def test_a_cell_reads_no_more_than_it_reaches(checkpoint: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    forward = Cell.forward

    def spied(cell: Cell, y: torch.Tensor, *rest: Any) -> torch.Tensor:
        if cell.causal:
            read.append(y.shape[1])
        return forward(cell, y, *rest)

    monkeypatch.setattr(Cell, "forward", spied)
    backbone = with_tams(checkpoint, "bart", "summarization")
    generated(backbone, steps=NEW)
    assert max(read) == REACH + 1
    assert read[-1] == REACH + 1


def test_every_beam_keeps_its_own_past(checkpoint: Read) -> None:
    """A beam search's scores are teacher-forced likelihoods, so the memory goes where the cache's rows go."""
    found, scores, forced = beams(with_tams(checkpoint, "bart", "summarization"), returned=4)
    assert (found.beam_indices[:, 1:6] != found.beam_indices[:, :5]).any(), "no beam was ever left"
    assert forced == pytest.approx(scores, abs=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("width", [1, 3])
def test_a_decoder_goes_on_behind_padding_as_without_a_cache(width: int, checkpoint: Read) -> None:
    backbone = with_tams(checkpoint, "gpt2", "causal-lm")
    batch = batch_for(backbone)
    batch["attention_mask"] = batch["attention_mask"].flip(1)  # padded at the begin, as texts that are gone on with are
    with_cache, without = (
        backbone.model.generate(
            **batch, **TRUE, num_beams=width, use_cache=cached, return_dict_in_generate=True, output_logits=True
        )
        for cached in (True, False)
    )
    assert torch.equal(with_cache.sequences, without.sequences)
    for one, other in zip(with_cache.logits, without.logits, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
