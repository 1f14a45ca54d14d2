"""Adaptations stand beside each other: every discovered one with LoRA, attached before it and after it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from harness.adaptations.finetune import Norms
from harness.adaptations.lora import LoRA
from harness.backbone.anatomy import anatomies
from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation
from harness.learn.save import attach, load_trained, save_trained
from harness.parts.build import leaks
from tests.contract.cells import Case, Read, attached, cases, parts_of, same, shake, state
from tests.contract.probes import future_seen, labelled, logits
from tests.models import ARCHITECTURES

NOTICED = 1e-6  # a gradient below this may be rounding
CLEAR = 1e-4  # one above this is not
ROUNDING = 2e-5
BESIDE = LoRA(rank=2, targets="all")
# RoBERTa's anatomy is BERT's, and GPT-2's is one for both of its kinds.
CASES = [
    case
    for case in cases()
    if case.folder.spec.train.steps
    and case.architecture != "roberta"
    and (case.architecture, case.kind) != ("gpt2", "token-classification")
    and case.method != "lora"
]

beside = pytest.mark.parametrize("case", CASES, ids=str)
order = pytest.mark.parametrize("first", [True, False], ids=["lora-first", "lora-last"])


def both(case: Case, first: bool) -> list[Adaptation]:
    return [BESIDE, *parts_of(case)] if first else [*parts_of(case), BESIDE]


def moved(backbone: Backbone, adaptations: list[Adaptation]) -> Backbone:
    """The backbone away from its start, having seen its examples."""
    shake(backbone, 0.1)
    for adaptation in adaptations:
        adaptation.observe(backbone, [labelled(backbone)])
    return backbone


def gradients(backbone: Backbone, adaptations: list[Adaptation]) -> dict[str, float]:
    """The largest gradient of each parameter that trains."""
    loss = backbone(**labelled(backbone)).loss
    for adaptation in adaptations:
        more = adaptation.penalty(backbone)
        loss = loss if more is None else loss + more
    parameters = backbone.trained()
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return {
        name: 0.0 if gradient is None else float(gradient.abs().max())
        for name, gradient in zip(parameters, found, strict=True)
    }


@beside
@order
def test_both_sides_learn(case: Case, first: bool, checkpoint: Read) -> None:
    """All of LoRA, each module that the method added, and what of the model learns under the method alone."""
    parts, together = parts_of(case), both(case, first)
    backbone = attached(case, checkpoint, [BESIDE] if first else parts)
    earlier = set(backbone.added)
    attach(backbone, parts if first else [BESIDE], 1)
    later = set(backbone.added) - earlier
    lora, its = (earlier, later) if first else (later, earlier)
    assert len(lora) == len(backbone.dense_layers("all"))
    found = gradients(moved(backbone, together), together)
    for module in lora:
        assert min(found[f"added.{module}.{side}"] for side in ("down", "up")) > NOTICED
    for module in its:
        own = [largest for name, largest in found.items() if name.startswith(f"added.{module}.")]
        assert not own or max(own) > NOTICED, f"nothing of {module} learns"
    alone = gradients(moved(attached(case, checkpoint), parts), parts)
    assert len(found) == len(alone) + 2 * len(lora)
    for name, largest in alone.items():
        if name.startswith("model.") and largest > CLEAR:
            assert found[name] > NOTICED, f"{name} does not learn beside LoRA"


@beside
@order
def test_both_are_saved_and_reloaded(case: Case, first: bool, checkpoint: Read, tmp_path: Path) -> None:
    together = both(case, first)
    backbone = moved(attached(case, checkpoint, together), together)
    for adaptation in together:
        adaptation.finish(backbone)
    save_trained(backbone, tmp_path / "trained.safetensors")
    again = attached(case, checkpoint, together)
    assert not torch.equal(logits(again), logits(backbone))
    load_trained(again, tmp_path / "trained.safetensors")
    assert same(state(again), state(backbone))
    assert torch.equal(logits(again), logits(backbone))


@pytest.mark.parametrize("case", [case for case in CASES if case.architecture != "bert"], ids=str)
@order
def test_both_keep_to_the_past(case: Case, first: bool, checkpoint: Read) -> None:
    together = both(case, first)
    backbone = moved(attached(case, checkpoint, together), together)
    assert (future_seen(backbone) > ROUNDING) == leaks(case.folder)


@pytest.mark.parametrize("names", [("masking", "tarp_bilinear"), ("tarp_bilinear", "masking")], ids=" then ".join)
def test_two_that_weigh_a_layer_both_count(names: tuple[str, str], checkpoint: Read) -> None:
    parts = [part for name in names for part in parts_of(Case(name, "gpt2", "causal-lm"))]
    backbone = attached(Case(names[0], "gpt2", "causal-lm"), checkpoint, parts)
    found = gradients(moved(backbone, parts), parts)
    weighers = [dense.module.__dict__["weighers"] for dense in backbone.dense_layers("all")]
    assert all(len(its) == 2 for its in weighers)
    assert len(backbone.added) >= 2 * len(weighers)
    for module in backbone.added:
        assert max(value for name, value in found.items() if name.startswith(f"added.{module}.")) > NOTICED


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_norms_learn_beside_tarp_and_are_saved(architecture: str, checkpoint: Read, tmp_path: Path) -> None:
    case = Case("tarp_dynamic", architecture, anatomies()[architecture].kinds[0])
    parts: list[Adaptation] = [*parts_of(case), Norms()]
    backbone = attached(case, checkpoint, parts)
    more = set(backbone.trained()) - set(attached(case, checkpoint).trained())
    assert more == {name for name in backbone.state_dict() if re.search(r"(?i)(norm|ln_)\w*\.(weight|bias)$", name)}
    found = gradients(moved(backbone, parts), parts)
    assert min(found[name] for name in more) > NOTICED
    save_trained(backbone, tmp_path / "trained.safetensors")
    again = attached(case, checkpoint, parts)
    load_trained(again, tmp_path / "trained.safetensors")
    assert torch.equal(logits(again), logits(backbone))
