"""What every discovered method promises in bf16: sums are taken in it, and parameters stay as they are stored."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from harness.backbone.backbone import Backbone
from harness.learn.save import load_trained, save_trained
from tests.contract.cells import Case, Read, attached, cases, parts_of, read_for, run, same, shake, state, task_of
from tests.contract.probes import labelled, logits

NEAR = 0.05  # of the logits' spread: bf16 keeps 8 bits, and the bare tiny models move by 0.005 to 0.012
ALONG = 0.95  # the cosine of the two gradients

learning = pytest.mark.parametrize("case", [case for case in cases() if case.folder.spec.train.steps], ids=str)


def bf16() -> torch.autocast:
    # The cache of rounded weights lives as long as the region, and would outlive steps and loaded values.
    return torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False)


def loss_of(case: Case, backbone: Backbone) -> Tensor:
    """The loss of a training step, what the adaptations add to it included."""
    loss: Tensor = backbone(**labelled(backbone)).loss
    more = [part.penalty(backbone) for part in parts_of(case)]
    return sum((penalty for penalty in more if penalty is not None), loss)


def gradients(backbone: Backbone, loss: Tensor) -> dict[str, Tensor]:
    """The gradient of each parameter that trains and that the loss depends on."""
    parameters = backbone.trained()
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return {name: value for name, value in zip(parameters, found, strict=True) if value is not None}


def steadily_chosen(case: Case, checkpoint: Read) -> Backbone:
    """A backbone at values of its parameters at which what is chosen, as a structure, is not so near to another choice
    that rounding decides."""
    for spread in (0.05, 0.1):
        backbone = attached(case, checkpoint)
        shake(backbone, spread)
        for part in parts_of(case):
            part.observe(backbone, [labelled(backbone)])
        chosen = [part.report(backbone) for part in parts_of(case)]
        with bf16():
            if chosen == [part.report(backbone) for part in parts_of(case)]:
                return backbone
    raise AssertionError("rounding decides what is chosen, wherever the parameters are")


@learning
def test_forward_and_backward_stay_near_full_precision(case: Case, checkpoint: Read) -> None:
    backbone = steadily_chosen(case, checkpoint)
    exact = logits(backbone)
    with bf16():
        rounded = logits(backbone).float()
        loss = loss_of(case, backbone)
    assert 0 < (rounded - exact).abs().mean() / exact.std() < NEAR
    assert torch.isfinite(loss)
    found, wanted = gradients(backbone, loss), gradients(backbone, loss_of(case, backbone))
    assert found.keys() == wanted.keys() != set()
    for name, value in found.items():
        assert value.dtype == torch.float32
        assert torch.isfinite(value).all(), f"{name} has a gradient that is no number"
    one, other = (torch.cat([value.flatten() for value in each.values()]) for each in (found, wanted))
    assert torch.cosine_similarity(one, other, dim=0) > ALONG
    assert {value.dtype for value in backbone.parameters()} == {torch.float32}


@learning
def test_a_cell_in_bf16_is_saved_and_reloaded_exactly(case: Case, checkpoint: Read, tmp_path: Path) -> None:
    with bf16():
        it = run(tmp_path, case, read_for(case, checkpoint), task_of(case.kind)[2])
    assert it.backbone is not None
    assert {value.dtype for value in it.after.values() if value.is_floating_point()} == {torch.float32}
    save_trained(it.backbone, tmp_path / "trained.safetensors")
    again = attached(case, checkpoint)
    shake(again)
    with bf16():
        assert not torch.equal(logits(again), logits(it.backbone))
        load_trained(again, tmp_path / "trained.safetensors")
        assert same(state(again), state(it.backbone))
        assert torch.equal(logits(again), logits(it.backbone))
