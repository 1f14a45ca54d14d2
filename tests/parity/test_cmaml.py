"""CMAML's private part, its selection and its phases against plain loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import load_module, methods
from harness.learn.batches import Batch
from harness.learn.save import attach
from harness.meta.gradient import meta_gradient
from harness.meta.tasks import TaskLosses
from tests.contract.cells import Read, labels_of
from tests.contract.probes import logits
from tests.parity.test_meta import PAIRS, SGD, TASKS, batch_of, largest, rows_of

METHOD: Any = load_module(Path(methods()["cmaml"].folder) / "method.py")
MODULES: Any = load_module(Path(methods()["cmaml"].folder) / "modules.py")
OPTIONS = {"hidden": (7, 6, 5), "select": {"steps": 3, "lr": 0.05, "l1": 0.02, "threshold": 0.6}}


def attached(read: Read, architecture: str, kind: Any, **select: Any) -> tuple[Backbone, Adaptation, Any]:
    """A backbone in double precision whose private part is away from its start."""
    options = {**OPTIONS, "select": {**OPTIONS["select"], **select}}  # type: ignore[dict-item]
    adaptation = METHOD.Cmaml.model_validate(options)
    backbone = read(architecture, kind, labels_of(kind)).backbone(0)
    attach(backbone, [adaptation], 0)
    backbone.double().eval()
    private = next(iter(backbone.added.values()))
    torch.manual_seed(3)
    with torch.no_grad():
        for value in private.parameters():
            value.add_(0.2 * torch.randn_like(value))
    return backbone, adaptation, private


def test_the_private_part_equals_its_formula() -> None:
    torch.manual_seed(0)
    module = MODULES.Private(4, (3, 5)).double()
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn_like(value))
        module.mask_1[2, 0] = 0.0
    y = torch.randn(2, 3, 4).double()
    first, second, last = (weight.detach().clone() for weight in module.weights)
    second[2, 0] = 0.0
    for row in range(2):
        for place in range(3):
            x = y[row, place]
            p = last @ functional.gelu(second @ functional.gelu(first @ x))
            gate = 1 / (1 + torch.exp(-(module.gate_shared @ x + module.gate_private @ p + module.gate_bias)))
            torch.testing.assert_close(module(y)[row, place], x + gate * p)


def kept_by_hand(weights: list[Tensor], threshold: float) -> list[list[list[bool]]]:
    """Connection by connection: strong, and on a path of strong connections to the output."""
    strong = []
    for weight in weights:
        size = (sum(float(value) ** 2 for value in weight.flatten()) / weight.numel()) ** 0.5
        strong.append([[abs(float(value)) > threshold * size for value in row] for row in weight])

    def leads_on(layer: int, unit: int) -> bool:
        if layer == len(weights):
            return True
        return any(strong[layer][out][unit] and leads_on(layer + 1, out) for out in range(len(weights[layer])))

    return [
        [[its and leads_on(layer + 1, out) for its in row] for out, row in enumerate(rows)]
        for layer, rows in enumerate(strong)
    ]


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0, 1.7, 100.0])
def test_connections_are_kept_backwards_from_the_output(threshold: float) -> None:
    torch.manual_seed(1)
    weights = [torch.randn(4, 3), torch.randn(3, 4), torch.randn(2, 3)]
    found = MODULES.kept_connections(weights, threshold)
    wanted = kept_by_hand(weights, threshold)
    assert [mask.bool().tolist() for mask in found] == wanted
    alone = [(weight.abs() > threshold * weight.square().mean().sqrt()) for weight in weights]
    if threshold == 1.7:
        assert any((mask.bool() != its).any() for mask, its in zip(found, alone, strict=True)), "nothing to propagate"


@pytest.mark.parametrize(("architecture", "kind"), PAIRS)
def test_selection_equals_plain_steps_with_a_penalty(architecture: str, kind: Any, checkpoint: Read) -> None:
    """SGD in place on the examples' loss plus L1 of the private weights, on the batches in turn; then the threshold."""
    backbone, adaptation, private = attached(checkpoint, architecture, kind)
    batches = [batch_of(kind, 5, tasks=1), batch_of(kind, 6, tasks=1)]
    start = {name: value.detach().clone() for name, value in backbone.named_parameters()}
    adaptation.observe(backbone, batches)
    masks = [mask.clone() for mask in private.masks()]
    assert largest(start, {name: value.detach() for name, value in backbone.named_parameters()}) == 0.0
    for mask in private.masks():
        mask.fill_(1.0)
    for batch in (batches[0], batches[1], batches[0]):
        loss = backbone(**batch).loss + 0.02 * sum(weight.abs().sum() for weight in private.weights)
        backbone.zero_grad()
        loss.backward()
        with torch.no_grad():
            for value in backbone.trained().values():
                value -= 0.0 if value.grad is None else 0.05 * value.grad
    wanted = kept_by_hand([weight.detach() for weight in private.weights], 0.6)
    assert [mask.bool().tolist() for mask in masks] == wanted
    assert 0 < sum(mask.sum() for mask in masks) < sum(mask.numel() for mask in masks)


def test_the_penalty_is_each_tasks_own() -> None:
    losses = MODULES.with_l1(lambda body, values, batch: torch.tensor([1.0, 2.0]), ["a", "b"], 0.5)
    values = {"a": torch.tensor([[1.0, -2.0], [0.0, 4.0]]), "b": torch.tensor([[[-3.0]], [[1.0]]]), "c": torch.ones(2)}
    torch.testing.assert_close(losses({}, values, {}), torch.tensor([1 + 0.5 * 6, 2 + 0.5 * 5]))


def test_what_was_selected_before_does_not_matter(checkpoint: Read) -> None:
    kind = "token-classification"
    backbone, adaptation, private = attached(checkpoint, "bert", kind)
    batches = [batch_of(kind, 5, tasks=1)]
    adaptation.observe(backbone, batches)
    first = [mask.clone() for mask in private.masks()]
    adaptation.observe(backbone, [batch_of(kind, 9, tasks=1)])
    adaptation.observe(backbone, batches)
    assert all(torch.equal(one, two) for one, two in zip(first, private.masks(), strict=True))


def test_a_larger_penalty_and_a_higher_threshold_keep_less(checkpoint: Read) -> None:
    kind = "token-classification"

    def share(**select: Any) -> float:
        backbone, adaptation, _ = attached(checkpoint, "bert", kind, **select)
        adaptation.observe(backbone, [batch_of(kind, 5, tasks=1)])
        adaptation.finish(backbone)
        return float(adaptation.report(backbone)["kept_share"])

    assert share() > share(l1=1.0)
    assert share() > share(threshold=1.0) > share(threshold=2.0)
    assert share(threshold=0.0) == 1.0


def test_pruned_connections_do_not_train_and_end_as_zeros(checkpoint: Read) -> None:
    kind: Any = "token-classification"
    backbone, adaptation, private = attached(checkpoint, "bert", kind)
    adaptation.observe(backbone, [batch_of(kind, 5, tasks=1)])
    masks = [mask.bool() for mask in private.masks()]
    backbone(**batch_of(kind, 6, tasks=1)).loss.backward()
    for mask, weight in zip(masks, private.weights, strict=True):
        assert weight.grad[~mask].abs().sum() == 0
        assert weight.grad[mask].abs().sum() > 0
    before = logits(backbone)
    adaptation.finish(backbone)
    torch.testing.assert_close(logits(backbone), before)
    assert all(torch.equal(weight != 0, mask) for mask, weight in zip(masks, private.weights, strict=True))
    report = adaptation.report(backbone)
    assert report["kept_share"] == sum(int(m.sum()) for m in masks) / sum(m.numel() for m in masks)
    with torch.no_grad():
        private.weights[0][masks[0].nonzero()[0].tolist()] = 0.0
    assert adaptation.report(backbone)["mask"] != report["mask"]


@pytest.mark.parametrize("order", [1, 2])
def test_several_tasks_keep_to_their_own_masks(order: Any, checkpoint: Read) -> None:
    """The meta-gradient with a mask a task, as buffers with a task axis, equals each task alone on a pruned copy."""
    kind: Any = "token-classification"
    backbone, _, private = attached(checkpoint, "bert", kind)
    parameters = {name: value.detach() for name, value in backbone.named_parameters()}
    start = {name: value.expand(TASKS, *value.shape) for name, value in parameters.items() if "added" in name}
    body = {name: value for name, value in parameters.items() if name not in start}
    torch.manual_seed(4)
    names = [f"added.final.mask_{layer}" for layer in range(len(private.weights))]
    seen = {
        name: (torch.rand(TASKS, *mask.shape) > 0.4).double() for name, mask in zip(names, private.masks(), strict=True)
    }
    support, query = [batch_of(kind, 2), batch_of(kind, 3)], batch_of(kind, 4)
    found = meta_gradient(TaskLosses(backbone, TASKS, seen), body, start, support, query, SGD, order=order)
    for task in range(TASKS):
        for name, mask in zip(names, private.masks(), strict=True):
            mask.copy_(seen[name][task])
        own = {name: value[task : task + 1] for name, value in start.items()}
        rows: list[Batch] = [rows_of(batch, task) for batch in support]
        losses = TaskLosses(backbone, 1)
        alone = meta_gradient(losses, body, own, rows, rows_of(query, task), SGD, order=order)
        torch.testing.assert_close(found.losses[task], alone.losses[0])
        assert largest({name: value[task : task + 1] for name, value in found.start.items()}, alone.start) < 1e-12
