"""Trainings of PEFT's tuners against a plain loop over PEFT's own model: the same numbers, to the last bit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peft import AdaLoraConfig, AdamssConfig, LoraConfig, get_peft_model

from harness.adaptations.peft_bridge import TASK_TYPES, Peft
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.contracts.method import Train
from harness.learn.batches import Batch
from harness.learn.loop import train
from harness.learn.save import attach, stored_bytes
from tests.contract.cells import Read, same
from tests.contract.probes import labelled

STEPS, CLIP, RATE = 12, 0.5, 0.02
TRAIN = Train(steps=STEPS, lr=RATE, schedule="constant", warmup=0, clip=CLIP)
ADALORA = {"init_r": 4, "target_r": 2, "tinit": 2, "tfinal": 3, "deltaT": 2, "orth_reg_weight": 0.3}
ADAMSS = {"r": 8, "num_subspaces": 3, "use_asa": True, "asa_target_subspaces": 4, "init_warmup": 1, "final_warmup": 9,
          "mask_interval": 2}  # fmt: skip
WHERE = [("bert", "token-classification", 7), ("gpt2", "causal-lm", None), ("bart", "summarization", None)]

where = pytest.mark.parametrize(("architecture", "kind", "labels"), WHERE)


def batches(backbone: Backbone) -> list[Batch]:
    """One batch a step, each with other labels."""
    one = labelled(backbone)
    return [one | {"labels": one["labels"].roll(step, 0).clamp(max=6)} for step in range(STEPS)]


def ours(kind: str, options: dict[str, Any], read: Checkpoint) -> Backbone:
    """A backbone trained by the harness's loop, as a cell trains it."""
    adaptation = Peft(type=kind, options=options).trained_for(STEPS)
    backbone = read.backbone(0)
    attach(backbone, [adaptation], 0)
    train(backbone, iter(batches(backbone)), TRAIN, penalties=[adaptation.penalty], after_step=[adaptation.after_step])
    adaptation.finish(backbone)
    return backbone


def theirs(config: Any, read: Checkpoint) -> Any:
    """PEFT's own model in a loop as PEFT's examples have it."""
    bare = read.backbone(0)
    rows = batches(bare)
    torch.manual_seed(0)
    model: Any = get_peft_model(copy.deepcopy(bare.model), config)
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0, fused=True)
    for step, batch in enumerate(rows):
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        if hasattr(model.base_model, "update_and_allocate"):
            model.base_model.update_and_allocate(step)
        optimizer.zero_grad()
    return model


@where
def test_adalora(architecture: str, kind: Any, labels: int | None, checkpoint: Read) -> None:
    read = checkpoint(architecture, kind, labels)
    model = theirs(AdaLoraConfig(**ADALORA, total_step=STEPS, task_type=TASK_TYPES[kind]), read)
    found = ours("ADALORA", ADALORA, read)
    assert same(dict(found.model.state_dict()), model.state_dict())
    values = [value for name, value in found.model.named_parameters() if "lora_E" in name]
    assert sum(int((value != 0).sum()) for value in values) == 2 * len(values), "the ranks are down to target_r"


@where
def test_adalora_s_orthogonality_is_in_the_loss(
    architecture: str, kind: Any, labels: int | None, checkpoint: Read
) -> None:
    read = checkpoint(architecture, kind, labels)
    without = ours("ADALORA", ADALORA | {"orth_reg_weight": 0.0}, read)
    assert not same(dict(without.model.state_dict()), dict(ours("ADALORA", ADALORA, read).model.state_dict()))


def test_adamss_freezes_subspaces_on_the_way_and_stores_them(checkpoint: Read) -> None:
    read = checkpoint("bert", "token-classification", 7)
    model = theirs(AdamssConfig(**ADAMSS, task_type="TOKEN_CLS"), read)
    found = ours("ADAMSS", ADAMSS, read)
    assert same(dict(found.model.state_dict()), model.state_dict())
    still = [parameter for name, parameter in model.named_parameters() if "adamss_A" in name]
    assert 0 < sum(parameter.requires_grad for parameter in still) < len(still), "some were frozen"
    fresh = read.backbone(0)
    attach(fresh, [Peft(type="ADAMSS", options=ADAMSS)], 0)
    assert set(found.trained()) == set(fresh.trained())
    assert stored_bytes(found) == stored_bytes(fresh)


@where
def test_lora(architecture: str, kind: Any, labels: int | None, checkpoint: Read) -> None:
    read = checkpoint(architecture, kind, labels)
    config = LoraConfig(r=4, lora_dropout=0.0, task_type=TASK_TYPES[kind])
    assert same(dict(ours("LORA", {"r": 4}, read).model.state_dict()), theirs(config, read).state_dict())
