"""A frozen body in half precision: near full precision, and only where it is frozen and computes by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.backbone.precision import ROUNDED, round_frozen
from tests.contract.cells import Case, Read, attached, cases, read_for, run, shake, task_of
from tests.contract.probes import labelled, logits

NEAR = 0.05  # of the logits' spread: bfloat16 keeps 8 bits
METHODS = {  # what the rounded layers' names begin with
    "finetune": "none",
    "top2": "encoder",  # of an encoder-decoder: the tiny models have two layers
    "bitfit": "",  # biases train, weights do not
    "lora": "",
    "tarp_dynamic": "",  # reads the weights in full precision
    "masking": "none",  # makes the products itself
    "prefix": "",
    "ia3": "",  # those that PEFT has not taken
}

rounding = pytest.mark.parametrize(
    "case", [case for case in cases() if case.method in METHODS and case.architecture != "roberta"], ids=str
)


@rounding
def test_a_rounded_body_computes_nearly_the_same(case: Case, checkpoint: Read) -> None:
    backbone = attached(case, checkpoint)
    shake(backbone, 0.05)
    exact, weights = logits(backbone), {dense.name: dense.weight for dense in backbone.dense_layers("all")}
    round_frozen(backbone)
    layers = backbone.dense_layers("all")
    rounded = [dense for dense in layers if type(dense.module) in ROUNDED.values()]
    assert all(dense.module.weight.dtype == torch.bfloat16 for dense in rounded)
    assert not any(dense.module.weight.requires_grad for dense in rounded)
    wanted = [dense.name for dense in layers if dense.name.startswith(METHODS[case.method])]
    if case.method == "top2" and case.architecture != "bart":
        wanted = []
    names = [dense.name for dense in rounded]
    assert (set(names) < set(wanted)) if case.method == "ia3" else (names == wanted)
    moved = (logits(backbone) - exact).abs().mean() / exact.std()
    assert bool(moved > 0) == bool(rounded)
    assert moved < NEAR
    for dense in rounded:  # who reads a weight gets it in full precision, rounded
        torch.testing.assert_close(dense.weight, weights[dense.name], rtol=2**-8, atol=0)
    backbone(**labelled(backbone)).loss.backward()
    for name, value in backbone.trained().items():
        assert value.dtype == torch.float32
        assert value.grad is None or torch.isfinite(value.grad).all(), name


@pytest.mark.parametrize("method", ["head", "lora"])
def test_a_cell_trains_in_full_precision_above_a_rounded_body(method: str, checkpoint: Read, tmp_path: Path) -> None:
    case = Case(method, "bert", "token-classification")
    read, splits = read_for(case, checkpoint), task_of(case.kind)[2]
    whole = run(tmp_path, case, read, splits)
    half = run(tmp_path, case, read, splits, precision="bfloat16")
    assert {value.dtype for value in half.trained().values()} == {torch.float32}
    assert half.costs["model_parameters"] == whole.costs["model_parameters"]
    assert half.costs["last_loss"] != whole.costs["last_loss"]
    assert half.costs["last_loss"] == pytest.approx(whole.costs["last_loss"], rel=NEAR)
