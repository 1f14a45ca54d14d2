"""The controller's meta-gradient, in its soft form, against finite differences.

In the straight-through form no difference exists to compare with: the choice jumps. That its step is the
soft gradient taken at the hard choice is shown in test_tams.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from harness.adaptations.tams import Tams
from harness.adaptations.tams_pass import CONTROLLER
from harness.backbone.backbone import Backbone
from harness.learn.save import attach
from harness.meta.gradient import adapted, meta_gradient
from harness.meta.inner import Values
from harness.meta.tasks import TaskLosses
from tests.parity.test_meta import PAIRS, SGD, TASKS, Read, batch_of


def soft_tams(read: Read, architecture: str, kind: str) -> tuple[Backbone, Values, Values, Values]:
    """A backbone with soft cells: the values of its body with the controller, a start and an embedding a task."""
    labels = 7 if kind == "token-classification" else None
    backbone = read(architecture, kind, labels).backbone(0)
    attach(backbone, [Tams(width=4, gates="soft", controller="frozen")], 0)
    backbone.double().train()
    torch.manual_seed(1)
    moved = {name: value.detach() for name, value in backbone.named_parameters()}
    # Moved off their first values, at which the cells give nothing and so say nothing of the structure.
    moved = {n: v + 0.2 * torch.randn_like(v) if n.startswith("added.") else v for n, v in moved.items()}
    trained = set(backbone.trained())
    body = {name: value for name, value in moved.items() if name not in trained}
    start = {name: torch.stack([moved[name]] * TASKS) for name in trained}
    seen = {f"added.{CONTROLLER}.embedding": torch.randn(TASKS, backbone.width).double()}
    return backbone, body, start, seen


@pytest.mark.parametrize("memory", ["store", "recompute"])
@pytest.mark.parametrize(("architecture", "kind"), PAIRS)
def test_the_controllers_gradient_equals_finite_differences(
    architecture: str, kind: str, memory: Any, checkpoint: Read
) -> None:
    """Through the inner loop and the query loss, along a random direction of the controller alone."""
    backbone, body, start, seen = soft_tams(checkpoint, architecture, kind)
    losses = TaskLosses(backbone, TASKS, seen)
    support, query = [batch_of(kind, 10 + step) for step in range(SGD.steps)], batch_of(kind, 20)
    found = meta_gradient(losses, body, start, support, query, SGD, order=2, memory=memory)
    torch.manual_seed(7)
    direction = {name: torch.randn_like(body[name]) for name in body if name.startswith(f"added.{CONTROLLER}.")}
    assert len(direction) == 4

    def after(move: float) -> Tensor:
        moved = body | {name: body[name] + move * value for name, value in direction.items()}
        return losses(moved, adapted(losses, moved, start, support, SGD), query).sum().detach()

    h = 1e-7  # small: the cells' maxima have kinks, which a longer step would cross
    difference = float(8 * (after(h) - after(-h)) - (after(2 * h) - after(-2 * h))) / (12 * h)
    slope = sum(float((found.body[name] * value).sum()) for name, value in direction.items())
    assert abs(slope) > 1e-6
    assert slope == pytest.approx(difference, rel=1e-6)
