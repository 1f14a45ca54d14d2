"""The prefix against attention written out by hand, and generation with the cache against teacher forcing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.adaptations.prefix import Prefix
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.backbone.places import Attention
from tests.contract.cells import Read, shake
from tests.contract.probes import batch_for, beams, generated, logits
from tests.models import HEADS, WIDTH
from tests.parity.everywhere import everywhere

LENGTH = 5
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}


def prefixed(read: Checkpoint, spread: float = 0.5) -> Backbone:
    """A backbone with a prefix at every attention, its keys and values random."""
    backbone = read.backbone(0)
    Prefix(length=LENGTH).attach(backbone)
    shake(backbone, spread)
    return backbone


def named(name: str) -> Callable[[str], str]:
    return lambda text: f"{name}: {text}"


@dataclass
class Heard:
    """What an attention was given and gave, the dense layer after it left out."""

    queries_from: Tensor
    keys_from: Tensor
    given: Tensor


def listen(backbone: Backbone, batch: dict[str, Tensor]) -> dict[str, Heard]:
    """Every attention's inputs and outputs in one run of the model."""
    heard: dict[str, Heard] = {}
    output_of: dict[str, Tensor] = {}
    handles = []
    last = {"bert": "", "roberta": "", "gpt2": "c_proj", "bart": "out_proj"}[backbone.model.config.model_type]
    for attention in backbone.attentions():

        def after(_: Any, inputs: Any, options: Any, output: Any, name: str = attention.name) -> None:
            states = inputs[0] if inputs else options["hidden_states"]
            others = options.get("key_value_states")
            given = output_of.get(name, output[0])
            heard[name] = Heard(states, states if others is None else others, given)

        def inside(_: Any, inputs: Any, name: str = attention.name) -> None:
            output_of[name] = inputs[0]

        handles.append(attention.module.register_forward_hook(after, with_kwargs=True))
        if last:
            handles.append(attention.module.get_submodule(last).register_forward_pre_hook(inside))
    logits(backbone, batch)
    for handle in handles:
        handle.remove()
    return heard


def projections(module: Any, heard: Heard) -> list[Tensor]:
    """Queries, keys and values, each [batch, heads, tokens, head width]."""
    if hasattr(module, "c_attn"):
        parts = list(module.c_attn(heard.queries_from).split(WIDTH, dim=2))
    else:
        names = ("q_proj", "k_proj", "v_proj") if hasattr(module, "q_proj") else ("query", "key", "value")
        states = (heard.queries_from, heard.keys_from, heard.keys_from)
        parts = [getattr(module, name)(state) for name, state in zip(names, states, strict=True)]
    return [part.unflatten(-1, (HEADS, WIDTH // HEADS)).transpose(1, 2) for part in parts]


def by_hand(attention: Attention, heard: Heard, prefix: Any, padding: Tensor | None, causal: bool) -> Tensor:
    """softmax(q [prefix; k]^T / sqrt(d)) [prefix; v], one query at a time (Li and Liang, 2021, section 4)."""
    query, key, value = projections(attention.module, heard)
    rows, _, queries, width = query.shape
    found = torch.zeros_like(query)
    for row in range(rows):
        for head in range(HEADS):
            for place in range(queries):
                seen = [
                    other
                    for other in range(key.shape[2])
                    if (padding is None or padding[row, other]) and not (causal and other > place)
                ]
                keys = torch.cat([prefix.keys[head], key[row, head, seen]])
                values = torch.cat([prefix.values[head], value[row, head, seen]])
                weights = torch.softmax(keys @ query[row, head, place] / math.sqrt(width), dim=0)
                found[row, head, place] = weights @ values
    return found.transpose(1, 2).flatten(2)


@everywhere
@pytest.mark.parametrize("padded", [True, False])
@torch.no_grad()
def test_every_attention_is_the_formula(
    architecture: str, kind: Any, labels: int | None, padded: bool, checkpoint: Read
) -> None:
    backbone = prefixed(checkpoint(architecture, kind, labels))
    batch = batch_for(backbone)
    if not padded:
        batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
    heard = listen(backbone, batch)
    attentions = backbone.attentions()
    assert set(heard) == {attention.name for attention in attentions}
    for attention, prefix in zip(attentions, backbone.added.values(), strict=True):
        decoder_self = attention.name.startswith("decoder") and attention.name.endswith("self")
        padding = None if decoder_self and architecture == "bart" else batch["attention_mask"]
        wanted = by_hand(attention, heard[attention.name], prefix, padding, causal=decoder_self)
        given = heard[attention.name].given
        if padding is not None and not attention.name.endswith("cross"):
            # What stands at padding is of no consequence, and its place is masked for all that follow.
            wanted, given = (value * padding[:, :, None] for value in (wanted, given))
        torch.testing.assert_close(given, wanted, **CLOSE, msg=named(attention.name))


@everywhere
def test_padding_changes_nothing(architecture: str, kind: Any, labels: int | None, checkpoint: Read) -> None:
    backbone = prefixed(checkpoint(architecture, kind, labels))
    batch = batch_for(backbone)
    length = int(batch["attention_mask"][1].sum())
    assert length < batch["input_ids"].shape[1]
    alone = {name: value[1:] for name, value in batch.items()}
    alone |= {name: alone[name][:, :length] for name in ("input_ids", "attention_mask")}
    whole, single = logits(backbone, batch)[1:], logits(backbone, alone)
    torch.testing.assert_close(whole[:, : single.shape[1]], single, **CLOSE)


def test_greedy_generation_is_the_argmax_of_teacher_forcing(checkpoint: Read) -> None:
    backbone = prefixed(checkpoint("bart", "summarization"))
    made, chosen_by, batch = generated(backbone, steps=10)
    forced = logits(backbone, {**batch, "decoder_input_ids": made[:, :-1]})
    torch.testing.assert_close(forced, chosen_by, rtol=1e-4, atol=1e-4)
    eos = backbone.model.config.eos_token_id
    allowed = forced.clone()
    allowed[:, :, eos] = -math.inf  # the search was told not to end early
    assert torch.equal(allowed.argmax(-1)[:, :-1], made[:, 1:-1])
    assert (made[:, -1] == eos).all()


def test_beam_search_scores_are_teacher_forced_likelihoods(checkpoint: Read) -> None:
    """Beams are reordered in the cache; the prefix must serve every beam alike."""
    _, scores, forced = beams(prefixed(checkpoint("bart", "summarization"), 0.2), returned=1)
    assert forced == pytest.approx(scores, abs=1e-3)
