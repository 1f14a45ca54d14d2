"""The training loop against formulas written out by hand."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.base.errors import Diverged, Unsupported
from harness.contracts.method import Train
from harness.learn.batches import Batch
from harness.learn.loop import train
from tests.contract.probes import tokens

EPSILON = 1e-8  # torch's own


class Slope(nn.Module):
    """A stand-in for a backbone: its loss is the sum of its one parameter times `height`."""

    def __init__(self, height: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, dtype=torch.float64))
        self.height = height

    def begin_training(self) -> None:
        self.train()

    def trained(self) -> dict[str, nn.Parameter]:
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def forward(self, **_: Tensor) -> Any:
        return SimpleNamespace(loss=(self.weight * self.height).sum())


def steps_of(settings: Train, slope: Slope) -> list[float]:
    """How far each step moved the parameter downhill."""
    places = [0.0]
    model: Any = slope
    train(model, ones(), settings, lambda step, loss: places.append(-float(slope.weight[0].detach())))
    return [after - before for before, after in itertools.pairwise(places)]


def ones() -> Any:
    return itertools.repeat({"attention_mask": torch.ones(2, 3)})


def closed_form(step: int, steps: int, warmup: int) -> float:
    """Hugging Face's linear schedule, but that neither the first nor the last step is at rate zero."""
    return (step + 1) / (warmup + 1) if step < warmup else (steps - step) / (steps - warmup)


def test_adaptations_hear_of_every_step_after_it_is_taken() -> None:
    model: Any = Slope()
    heard: list[tuple[int, int, bool]] = []

    def listen(backbone: Any, step: int, steps: int) -> None:
        heard.append((step, steps, float(backbone.weight[0].detach()) == pytest.approx(-step)))

    train(model, ones(), Train(steps=3, lr=1.0, optimizer="sgd", schedule="constant", warmup=0.0, clip=9.0),
          after_step=[listen])  # fmt: skip
    assert heard == [(1, 3, True), (2, 3, True), (3, 3, True)]


@pytest.mark.parametrize(
    ("steps", "share", "warmup"), [(10, 0.0, 0), (10, 0.3, 3), (60, 0.06, 4), (1, 0.06, 0), (7, 0.9, 6)]
)
def test_linear_schedule(steps: int, share: float, warmup: int) -> None:
    settings = Train(steps=steps, lr=0.5, optimizer="sgd", schedule="linear", warmup=share, clip=1e9)
    wanted = [0.5 * closed_form(step, steps, warmup) for step in range(steps)]
    found = steps_of(settings, Slope())
    assert found == pytest.approx(wanted, rel=1e-9)
    assert max(found) == pytest.approx(0.5)
    assert all(after > before for before, after in itertools.pairwise(found[: warmup + 1]))
    assert all(after < before for before, after in itertools.pairwise(found[warmup:]))
    assert found[-1] > 0


def test_constant_schedule() -> None:
    settings = Train(steps=6, lr=0.5, optimizer="sgd", schedule="constant", warmup=0.34, clip=1e9)
    assert steps_of(settings, Slope()) == pytest.approx([0.5 / 3, 1 / 3, 0.5, 0.5, 0.5, 0.5], rel=1e-9)


@pytest.mark.parametrize("height", [0.1, 30.0])
def test_gradients_are_clipped_by_their_norm(height: float) -> None:
    settings = Train(steps=1, lr=1.0, optimizer="sgd", schedule="constant", warmup=0, clip=2.0)
    norm = 2 * height  # of four equal entries
    assert steps_of(settings, Slope(height)) == pytest.approx([height * min(1.0, 2.0 / norm)], rel=1e-5)


@pytest.mark.parametrize("height", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops(height: float) -> None:
    slope = Slope(height)
    slope.weight.data.fill_(1.0)
    model: Any = slope
    with pytest.raises(Diverged, match="step 1 of 3"):
        train(model, ones(), Train(steps=3))
    assert torch.equal(slope.weight, torch.ones(4, dtype=torch.float64))


def test_nothing_to_train_is_unsupported_and_no_steps_are_nothing() -> None:
    slope = Slope()
    slope.weight.requires_grad_(False)
    model: Any = slope
    with pytest.raises(Unsupported):
        train(model, ones(), Train(steps=1))
    assert train(model, iter(()), Train(steps=0)).last_loss is None


def test_tokens_are_counted_and_the_loss_is_the_last_steps() -> None:
    model: Any = Slope()
    model.weight.data.fill_(1.0)
    done = train(model, ones(), Train(steps=2, lr=0.25, optimizer="sgd", schedule="constant", warmup=0, clip=1e9))
    assert done.tokens == 2 * 6
    assert done.last_loss == pytest.approx(4 * 0.75)
    assert not model.training


def batches(kind: str) -> list[Batch]:
    """Three fixed batches, each with some padding."""
    found = []
    for seed in range(3):
        ids, mask = tokens(4, 9, seed), torch.ones(4, 9, dtype=torch.long)
        mask[0, 5:] = 0
        labels = ids if kind == "causal-lm" else ids % 7
        found.append({"input_ids": ids, "attention_mask": mask, "labels": labels.masked_fill(mask == 0, -100)})
    return found


@pytest.mark.parametrize("clip", [0.05, 1e9])
@pytest.mark.parametrize(
    ("architecture", "kind", "labels"), [("bert", "token-classification", 7), ("gpt2", "causal-lm", None)]
)
def test_adamw_steps_are_the_formulas(
    architecture: str, kind: Any, labels: int | None, clip: float, checkpoint: Callable[..., Checkpoint]
) -> None:
    ours = checkpoint(architecture, kind, labels).backbone(0)
    ours.double()  # in fp32 the rounding of a gradient that should be zero is a step like any other to Adam
    ours.train_all()
    plain = copy.deepcopy(ours)
    settings = Train(steps=3, lr=1e-3, schedule="linear", warmup=0.34, weight_decay=0.1, clip=clip)
    train(ours, iter(batches(kind)), settings)
    clipped = by_hand(plain, batches(kind), settings)
    assert all(clipped) == (clip < 1)
    for (name, value), (_, other) in zip(ours.named_parameters(), plain.named_parameters(), strict=True):
        torch.testing.assert_close(value, other, rtol=1e-7, atol=1e-9, msg=named(name))


def named(name: str) -> Callable[[str], str]:
    return lambda text: f"{name}: {text}"


def by_hand(backbone: Backbone, rows: list[Batch], settings: Train) -> list[bool]:
    """AdamW (Loshchilov and Hutter, 2019, algorithm 2) with the gradient's norm clipped; which steps were clipped."""
    parameters = [value for value in backbone.parameters() if value.requires_grad]
    betas = settings.betas
    first = [torch.zeros_like(value) for value in parameters]
    second = [torch.zeros_like(value) for value in parameters]
    clipped = []
    backbone.train()
    for step, batch in enumerate(rows):
        loss = backbone(**batch).loss
        gradients = [
            torch.zeros_like(value) if gradient is None else gradient
            for value, gradient in zip(
                parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True
            )
        ]
        norm = torch.sqrt(sum((gradient**2).sum() for gradient in gradients))  # type: ignore[arg-type]
        clipped.append(bool(norm > settings.clip))
        rate = settings.lr * closed_form(step, len(rows), 1)
        with torch.no_grad():
            for place, (value, gradient) in enumerate(zip(parameters, gradients, strict=True)):
                gradient = gradient * min(1.0, settings.clip / float(norm))
                first[place] = betas[0] * first[place] + (1 - betas[0]) * gradient
                second[place] = betas[1] * second[place] + (1 - betas[1]) * gradient**2
                mean = first[place] / (1 - betas[0] ** (step + 1))
                spread = second[place] / (1 - betas[1] ** (step + 1))
                value.sub_(rate * settings.weight_decay * value)
                value.sub_(rate * mean / (spread.sqrt() + EPSILON))
    return clipped
