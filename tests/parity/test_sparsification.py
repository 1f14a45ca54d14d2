"""Masks and sparse differences against plain computations; what is stored of them against the file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import load_module, methods
from harness.learn.save import attach
from harness.parts.build import adaptations_of
from tests.contract.cells import Case, Read, run, shake, task_of
from tests.contract.probes import batch_for, logits
from tests.parity.test_peft import labelled

MASKING: Any = load_module(methods()["masking"].folder / "method.py")
MASKS: Any = load_module(methods()["masking"].folder / "modules.py")
PRUNING: Any = load_module(methods()["diff_pruning"].folder / "method.py")
GATES: Any = load_module(methods()["diff_pruning"].folder / "modules.py")
LAWS = [(-1.5, 1.5, 1.0), (-0.1, 1.1, 2 / 3), (-0.5, 3.0, 1.7)]


def attached(checkpoint: Read, adaptation: Adaptation, architecture: str = "gpt2", kind: Any = "causal-lm") -> Backbone:
    labels = 7 if kind == "token-classification" else None
    backbone = checkpoint(architecture, kind, labels).backbone(0)
    attach(backbone, [adaptation], 0)
    return backbone


def loss_of(backbone: Backbone) -> Tensor:
    loss: Tensor = backbone(**labelled(backbone)).loss
    return loss


# Masking


@pytest.mark.parametrize(("architecture", "kind"), [("gpt2", "causal-lm"), ("bert", "token-classification")])
def test_masked_layers_compute_with_the_masked_weights(architecture: str, kind: Any, checkpoint: Read) -> None:
    backbone = attached(checkpoint, MASKING.Masking(), architecture, kind)
    shake(backbone, head=False)
    plain = checkpoint(architecture, kind, 7 if kind == "token-classification" else None).backbone(0)
    masks = list(backbone.added.values())
    assert len(masks) == len(plain.dense_layers("all"))
    mask: Any
    for dense, mask in zip(plain.dense_layers("all"), masks, strict=True):
        assert 0 < int((mask.scores <= 0).sum()) < mask.scores.numel()
        with torch.no_grad():
            dense.weight[mask.scores <= 0] = 0.0  # a view, whichever way the model stores it
    torch.testing.assert_close(logits(backbone), logits(plain))


def test_a_score_has_the_gradient_of_the_mask_as_a_number(checkpoint: Read) -> None:
    """dL/dscore = dL/dmask, where the mask is any real matrix: weight times the weight's own gradient."""
    backbone, plain = (attached(checkpoint, MASKING.Masking()) for _ in range(2))
    shake(backbone)
    shake(plain)
    loss_of(backbone).backward()
    gradients = []
    mask: Any
    for mask in plain.added.values():
        mask.scores.data = (mask.scores > 0).to(torch.float32)
        mask.forward = lambda weight, mask=mask: weight * mask.scores  # no threshold at all
        gradients.append(mask.scores)
    wanted = torch.autograd.grad(loss_of(plain), gradients)
    for its, other in zip(backbone.added.values(), wanted, strict=True):
        found: Any = its
        assert other.abs().max() > 1e-5
        torch.testing.assert_close(found.scores.grad, other)


def test_a_mask_takes_exactly_zero_and_one(checkpoint: Read) -> None:
    dense = checkpoint("gpt2", "causal-lm").backbone(0).dense_layers("ffn")[0]
    mask = MASKS.Mask(dense, 0.1, 0.0)
    with torch.no_grad():
        mask.scores.add_(torch.randn_like(mask.scores))
    weight = torch.randn_like(mask.scores)
    assert set(mask(torch.ones_like(weight)).unique().tolist()) == {0.0, 1.0}
    assert torch.equal(mask(weight), torch.where(mask.scores > 0, weight, 0.0))


def test_initial_sparsity_masks_that_share(checkpoint: Read) -> None:
    adaptation = MASKING.Masking(initial_sparsity=0.25)
    backbone = attached(checkpoint, adaptation)
    assert adaptation.report(backbone)["kept_share"] == pytest.approx(0.75, abs=0.02)
    assert MASKING.Masking().report(attached(checkpoint, MASKING.Masking()))["kept_share"] == 1.0


# Hard concrete gates


@pytest.mark.parametrize("parameters", LAWS)
@pytest.mark.parametrize("log_alpha", [-2.0, 0.3, 2.5])
def test_open_gates_are_as_many_as_the_closed_form_says(parameters: Any, log_alpha: float) -> None:
    law, draws = GATES.HardConcrete(*parameters), 200_000
    uniform = torch.rand(draws, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gates = law.sampled(torch.full((draws,), log_alpha, dtype=torch.float64), uniform)
    low, high, temperature = parameters
    # The stretched variable is above zero where its logistic noise is above this.
    bound = temperature * math.log(-low / high) - log_alpha
    wanted = 1 / (1 + math.exp(bound))
    assert float(law.open_probability(torch.tensor(log_alpha, dtype=torch.float64))) == pytest.approx(wanted, rel=1e-9)
    error = math.sqrt(wanted * (1 - wanted) / draws)
    assert float((gates != 0).double().mean()) == pytest.approx(wanted, abs=5 * error)
    assert float(gates.min()) >= 0.0
    assert float(gates.max()) <= 1.0


@pytest.mark.parametrize("parameters", LAWS)
def test_gates_are_the_published_formula(parameters: Any) -> None:
    low, high, temperature = parameters
    law = GATES.HardConcrete(*parameters)
    log_alpha, uniform = torch.linspace(-3, 3, 13).double(), torch.linspace(0.05, 0.95, 13).double()
    for alpha, u, sampled, settled in zip(
        log_alpha.tolist(),
        uniform.tolist(),
        law.sampled(log_alpha, uniform).tolist(),
        law.settled(log_alpha).tolist(),
        strict=True,
    ):
        concrete = 1 / (1 + math.exp(-(math.log(u) - math.log(1 - u) + alpha) / temperature))
        assert sampled == pytest.approx(min(1.0, max(0.0, concrete * (high - low) + low)))
        assert settled == pytest.approx(min(1.0, max(0.0, (high - low) / (1 + math.exp(-alpha)) + low)))


# Diff pruning


def unsettled(checkpoint: Read, **options: Any) -> tuple[Any, Backbone]:
    """Diff pruning in the middle of its training: gates of every kind, changes of every size."""
    adaptation = PRUNING.DiffPruning(**options)
    backbone = attached(checkpoint, adaptation)
    generator = torch.Generator().manual_seed(2)
    module: Any
    with torch.no_grad():
        for module in backbone.added.values():
            module.gates.copy_(2 * torch.randn(module.gates.shape, generator=generator) / module.gate_rate)
            module.changes.copy_(0.1 * torch.randn(module.changes.shape, generator=generator))
    return adaptation, backbone


def differences(backbone: Backbone) -> list[Tensor]:
    modules: Any = backbone.added.values()
    return [module.settled().clone() for module in modules]


def test_the_penalty_is_the_expected_share_of_open_gates(checkpoint: Read) -> None:
    adaptation, backbone = unsettled(checkpoint, l0=3.0, low=-0.3, high=1.2, temperature=0.8)
    modules: Any = list(backbone.added.values())
    alphas = np.concatenate([(module.gates * module.gate_rate).detach().numpy().ravel() for module in modules])
    wanted = 3.0 * np.mean(1 / (1 + np.exp(-(alphas.astype(np.float64) - 0.8 * math.log(0.3 / 1.2)))))
    assert float(adaptation.penalty(backbone).detach()) == pytest.approx(wanted, rel=1e-5)


def test_the_penalty_s_gradient_agrees_with_finite_differences(checkpoint: Read) -> None:
    adaptation, backbone = unsettled(checkpoint, l0=1000.0, gate_rate=10.0)
    backbone.double()
    module: Any = next(iter(backbone.added.values()))
    adaptation.penalty(backbone).backward()
    step = 1e-4
    for place in ((0, 0), (3, 5), (7, 1)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                module.gates[place] += sign * step
                values.append(adaptation.penalty(backbone).item())
                module.gates[place] -= sign * step
        assert float(module.gates.grad[place]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)
    assert module.changes.grad is None


def test_the_start_is_the_backbone_in_training_too_and_both_parts_learn(checkpoint: Read) -> None:
    """Of gates the loss says nothing until changes are not zero: the penalty is what moves them first."""
    bare = checkpoint("gpt2", "causal-lm").backbone(0)
    adaptation = PRUNING.DiffPruning()
    backbone = attached(checkpoint, adaptation).train()
    batch = batch_for(bare)
    assert torch.equal(backbone(**batch).logits, bare.train()(**batch).logits)
    (loss_of(backbone) + adaptation.penalty(backbone)).backward()
    module: Any
    for module in backbone.added.values():
        assert (module.changes.grad.abs() > 0).float().mean() > 0.5
        assert (module.gates.grad > 0).all(), "the penalty shuts gates"


def test_noise_is_drawn_in_training_only_and_from_the_global_generator(checkpoint: Read) -> None:
    _, backbone = unsettled(checkpoint)
    assert torch.equal(logits(backbone), logits(backbone))
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(loss_of(backbone.train()).item())
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_sampled_difference_has_the_gradient_of_a_plain_formula(checkpoint: Read) -> None:
    _, backbone = unsettled(checkpoint)
    module: Any = next(iter(backbone.added.values())).train()
    weight = torch.randn_like(module.changes)
    torch.manual_seed(4)
    ours = torch.autograd.grad(module(weight).square().sum(), [module.changes, module.gates])
    torch.manual_seed(4)
    smallest = torch.finfo(torch.float32).eps
    uniform = torch.rand_like(weight) * (1 - 2 * smallest) + smallest
    changes, gates = module.changes.detach().requires_grad_(), module.gates.detach().requires_grad_()
    noisy = torch.sigmoid(torch.logit(uniform) + gates * module.gate_rate) * 3.0 - 1.5
    gate = torch.where(noisy <= 0, 0.0, torch.where(noisy >= 1, 1.0, noisy))
    theirs = torch.autograd.grad((weight + gate * changes).square().sum(), [changes, gates])
    for found, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)


def test_diff_pruning_has_second_derivatives_and_runs_for_several_tasks(checkpoint: Read) -> None:
    _, backbone = unsettled(checkpoint)
    module: Any = next(iter(backbone.added.values())).eval()
    values = {name: value.detach().double() for name, value in module.named_parameters()}
    values["gates"] = values["gates"].clamp(-0.3 / module.gate_rate, 0.3 / module.gate_rate)  # none at a kink
    weight = torch.randn(values["changes"].shape, dtype=torch.float64)

    def loss(changes: Tensor, gates: Tensor, weight: Tensor) -> Tensor:
        inner = {"changes": changes, "gates": gates}
        return functional_call(module, inner, (weight,)).pow(3).mean()

    some = tuple(values[name][:2, :3].clone().requires_grad_() for name in ("changes", "gates"))
    assert torch.autograd.gradgradcheck(loss, (*some, weight[:2, :3].clone().requires_grad_()))
    tasks = {name: torch.stack([value, 2 * value]) for name, value in values.items()}
    both = torch.vmap(lambda own: functional_call(module, own, (weight,)))(tasks)
    for task in range(2):
        alone = functional_call(module, {name: value[task] for name, value in tasks.items()}, (weight,))
        torch.testing.assert_close(both[task], alone)


@pytest.mark.parametrize("kept", [0.005, 0.1, 1.0])
def test_projection_keeps_the_largest_of_all_layers(kept: float, checkpoint: Read) -> None:
    adaptation, backbone = unsettled(checkpoint, kept=kept)
    before = torch.cat([its.flatten() for its in differences(backbone)])
    adaptation.finish(backbone)
    after = torch.cat([its.flatten() for its in differences(backbone)])
    count = round(kept * len(before))
    wanted = np.zeros(len(before), dtype=np.float32)
    for place in sorted(range(len(before)), key=lambda place: -abs(float(before[place])))[:count]:
        wanted[place] = before[place]
    assert np.array_equal(after.numpy(), wanted)
    assert int((after != 0).sum()) == min(count, int((before != 0).sum()))
    adaptation.finish(backbone)
    assert torch.equal(torch.cat([its.flatten() for its in differences(backbone)]), after), "a second time"


def test_after_the_projection_only_what_was_kept_trains(checkpoint: Read) -> None:
    adaptation, backbone = unsettled(checkpoint, kept=0.02, project_at=0.5)
    optimizer = torch.optim.AdamW(backbone.trained().values(), lr=0.01, weight_decay=0.0)
    kept: list[list[Tensor]] = []
    for step in range(1, 9):
        (loss_of(backbone.train()) + adaptation.penalty(backbone)).backward()
        optimizer.step()
        optimizer.zero_grad()
        adaptation.after_step(backbone, step, 8)
        kept.append(differences(backbone))
    modules: Any = list(backbone.added.values())
    shares = [sum(int((its != 0).sum()) for its in now) / sum(its.numel() for its in now) for now in kept]
    assert shares[2] > 0.1
    assert shares[3:] == [pytest.approx(0.02, abs=1e-4)] * 5
    for first, last, module in zip(kept[3], kept[-1], modules, strict=True):
        assert torch.equal(first != 0, last != 0)
        assert not torch.equal(first, last) or not first.any()
        assert torch.equal(module.difference(), module.settled()), "no noise any more"


def test_a_cell_projects_within_its_steps(checkpoint: Read, tmp_path: Path) -> None:
    """Before `finish` the mask is fixed already, and it is the one that is kept."""
    case = Case("diff_pruning", "gpt2", "causal-lm")
    ran = run(tmp_path, case, checkpoint("gpt2", "causal-lm"), task_of("causal-lm")[2])
    assert ran.backbone is not None
    kept = total = 0
    for name, its in ran.backbone.added.items():
        module: Any = its
        log_alpha = ran.after[f"added.{name}.gates"] * module.gate_rate
        assert (log_alpha.abs() > GATES.DECIDED / 2).all()
        assert torch.equal(log_alpha > 0, module.settled() != 0), "finish changed what was kept"
        kept, total = kept + int((log_alpha > 0).sum()), total + log_alpha.numel()
    assert kept == round(0.005 * total)


def trained(checkpoint: Read, name: str) -> tuple[Any, Backbone]:
    """As after training and `finish`, on an encoder with a head."""
    adaptation = adaptations_of(methods()[name])[0]
    assert isinstance(adaptation, Adaptation)
    backbone = attached(checkpoint, adaptation, "bert", "token-classification")
    shake(backbone, 0.2)
    adaptation.finish(backbone)
    return adaptation, backbone


@pytest.mark.parametrize("name", ["masking", "diff_pruning"])
def test_half_precision_arithmetic(name: str, checkpoint: Read) -> None:
    _, backbone = trained(checkpoint, name)
    exact = loss_of(backbone)
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(backbone)
    assert loss.item() == pytest.approx(exact.item(), rel=0.05)
    loss.backward()
    for value in backbone.added.parameters():
        assert value.grad is not None
        assert value.grad.dtype == torch.float32
        assert torch.isfinite(value.grad).all()


def test_the_bias_stays(checkpoint: Read) -> None:
    """With every weight masked a layer still gives its bias."""
    backbone = attached(checkpoint, MASKING.Masking())
    module: Any
    for module in backbone.added.values():
        module.settle(torch.zeros_like(module.scores).bool())
    layer: nn.Module = backbone.dense_layers("ffn")[0].module
    x = torch.randn(2, 3, backbone.width)
    bias: Any = layer.bias
    torch.testing.assert_close(layer(x), functional.linear(x, torch.zeros(len(bias), backbone.width), bias))
