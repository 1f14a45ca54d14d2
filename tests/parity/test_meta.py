"""Meta-gradients against closed forms, finite differences, and plain loops written by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.backbone.backbone import Backbone
from harness.contracts.discover import methods
from harness.contracts.method import Train
from harness.learn.batches import Batch
from harness.learn.loop import train
from harness.learn.save import attach
from harness.meta import inner
from harness.meta.gradient import MetaGradient, adapted, meta_gradient
from harness.meta.inner import Values
from harness.meta.tasks import TaskLosses, task_means
from harness.parts.build import adaptations_of

TASKS, ROWS, LENGTH = 3, 2, 8
SGD = Train(steps=2, lr=0.05, optimizer="sgd", schedule="constant", warmup=0, clip=1e9)
ADAM = Train(steps=3, lr=0.01, optimizer="adamw", schedule="linear", warmup=0.5, clip=0.3, weight_decay=0.1)
ORDERS: list[dict[str, Any]] = [{"order": 1}, {"order": 2, "memory": "store"}, {"order": 2, "memory": "recompute"}]
PAIRS = [("bert", "token-classification"), ("gpt2", "causal-lm"), ("bart", "summarization")]

Read = Callable[..., Any]


# Linear regression y = X (b + a): b the body, a the initial values, a loss of half the squared error's sum.


def regression(body: Values, values: Values, batch: Batch) -> Tensor:
    weights = body["b"] + values["a"]  # [tasks, features]
    error = torch.einsum("trf,tf->tr", batch["x"], weights) - batch["y"]
    return 0.5 * error.square().sum(1)


def regression_data(seed: int, rows: int = 5, features: int = 4) -> Batch:
    torch.manual_seed(seed)
    return {"x": torch.randn(TASKS, rows, features).double(), "y": torch.randn(TASKS, rows).double()}


@pytest.mark.parametrize("options", ORDERS, ids=str)
@pytest.mark.parametrize("steps", [0, 1, 4])
def test_linear_regression_equals_the_closed_form(options: dict[str, Any], steps: int) -> None:
    """a_S - w* = (I - lr X'X)^S (a_0 - w*), so the gradient is that matrix's transpose times the query's own."""
    support, query = regression_data(0), regression_data(1)
    body, start = {"b": torch.randn(4).double()}, {"a": torch.randn(4).double().expand(TASKS, 4)}
    settings = SGD.model_copy(update={"steps": steps})
    found = meta_gradient(regression, body, start, [support] * steps, query, settings, **options)
    for task in range(TASKS):
        x, y = support["x"][task], support["y"][task]
        contraction = torch.eye(4).double() - settings.lr * x.T @ x
        power = torch.linalg.matrix_power(contraction, steps)
        best = torch.linalg.solve(x.T @ x, x.T @ y) - body["b"]
        value = best + power @ (start["a"][task] - best)
        torch.testing.assert_close(found.adapted["a"][task].detach(), value)
        error = query["x"][task] @ (body["b"] + value) - query["y"][task]
        gradient = query["x"][task].T @ error
        torch.testing.assert_close(found.start["a"][task], power.T @ gradient if options["order"] == 2 else gradient)
        torch.testing.assert_close(found.losses[task], 0.5 * error.square().sum())
    # b moves the path as well: a_S depends on it by power - 1, and the prediction by one more.
    errors = torch.einsum("trf,tf->tr", query["x"], body["b"] + found.adapted["a"].detach()) - query["y"]
    direct = torch.einsum("trf,tr->tf", query["x"], errors)
    powers = [torch.linalg.matrix_power(torch.eye(4).double() - SGD.lr * x.T @ x, steps) for x in support["x"]]
    through = sum(power.T @ gradient for power, gradient in zip(powers, direct, strict=True))
    torch.testing.assert_close(found.body["b"], through if options["order"] == 2 else direct.sum(0))


# Real backbones, small and in double precision.


def prepared(read: Read, architecture: str, kind: str, method: str = "lora") -> tuple[Backbone, Values, Values]:
    """A backbone with an adaptation, its body's values, and a different start for each task."""
    labels = 7 if kind == "token-classification" else None
    backbone = read(architecture, kind, labels).backbone(0)
    attach(backbone, adaptations_of(methods()[method]), 0)  # type: ignore[arg-type]
    backbone.double().train()
    trained = {name: value.detach() for name, value in backbone.trained().items()}
    body = {name: value.detach() for name, value in backbone.named_parameters() if name not in trained}
    torch.manual_seed(1)
    start = {
        name: torch.stack([value + 0.1 * torch.randn_like(value) for _ in range(TASKS)])
        for name, value in trained.items()
    }
    return backbone, body, start


def batch_of(kind: str, seed: int, tasks: int = TASKS) -> Batch:
    """The tasks' rows one after another, some padding, some tokens without a label."""
    torch.manual_seed(seed)
    ids = torch.randint(5, 300, (tasks * ROWS, LENGTH))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    labels = ids % 7 if kind == "token-classification" else ids.clone()
    labels[mask == 0] = -100
    labels[-1, 3:] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def rows_of(batch: Batch, task: int) -> Batch:
    return {name: tensor[task * ROWS : (task + 1) * ROWS] for name, tensor in batch.items()}


def largest(one: Values, other: Values) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.parametrize("method", ["lora", "adapter", "adapter_last", "prefix", "mam", "bitfit", "head"])
@pytest.mark.parametrize(("architecture", "kind"), [*PAIRS, ("roberta", "token-classification")])
def test_several_tasks_in_one_pass_equal_each_alone(
    architecture: str, kind: str, method: str, checkpoint: Read
) -> None:
    if method == "head" and kind != "token-classification":
        pytest.skip("no head")
    backbone, body, start = prepared(checkpoint, architecture, kind, method)
    support, query = [batch_of(kind, 2), batch_of(kind, 3)], batch_of(kind, 4)
    for options in ORDERS[:2]:
        found = meta_gradient(TaskLosses(backbone, TASKS), body, start, support, query, SGD, **options)
        alone = [
            meta_gradient(
                TaskLosses(backbone, 1),
                body,
                {name: value[task : task + 1] for name, value in start.items()},
                [rows_of(batch, task) for batch in support],
                rows_of(query, task),
                SGD,
                **options,
            )
            for task in range(TASKS)
        ]
        torch.testing.assert_close(found.losses, torch.cat([one.losses for one in alone]))
        summed = {name: torch.stack([one.body[name] for one in alone]).sum(0) for name in body}
        assert largest(found.body, summed) < 1e-12
        assert largest(found.start, {name: torch.cat([one.start[name] for one in alone]) for name in start}) < 1e-12
    assert "forward" not in vars(backbone.model.get_submodule("")), "the model is as it was"
    assert backbone.several is None


@pytest.mark.parametrize("settings", [SGD, ADAM], ids=["sgd", "adamw"])
@pytest.mark.parametrize(("architecture", "kind"), PAIRS)
def test_the_inner_loop_is_the_training_loop(architecture: str, kind: str, settings: Train, checkpoint: Read) -> None:
    backbone, _, start = prepared(checkpoint, architecture, kind)
    batches = [batch_of(kind, 5 + step, tasks=1) for step in range(settings.steps)]
    with torch.no_grad():
        for name, value in backbone.trained().items():
            value.copy_(start[name][0])
    trained = copy.deepcopy(backbone)
    # The copy's hooks still serve the first backbone's modules: train the first, and keep the copy's values.
    values = {name: value.detach().clone()[None] for name, value in trained.trained().items()}
    body = {name: value.detach() for name, value in backbone.named_parameters() if name not in values}
    ours = adapted(TaskLosses(backbone, 1), body, values, batches, settings)
    train(backbone, iter(batches), settings)
    after = {name: value.detach()[None] for name, value in backbone.trained().items()}
    assert largest(after, values) > 1e-3
    assert largest(ours, after) < (1e-6 if architecture == "gpt2" else 1e-9)  # GPT-2's own loss is single


@pytest.mark.parametrize("settings", [SGD, ADAM], ids=["sgd", "adamw"])
@pytest.mark.parametrize("memory", ["store", "recompute"])
@pytest.mark.parametrize(("architecture", "kind"), PAIRS)
def test_second_order_equals_finite_differences(
    architecture: str, kind: str, memory: Any, settings: Train, checkpoint: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along a random direction of the body and one of the start, by a difference of fourth order."""
    # Adam's first steps are the gradient's sign where it is well above epsilon: too sharp for differences.
    monkeypatch.setattr(inner, "EPSILON", 1e-2)
    backbone, body, start = prepared(checkpoint, architecture, kind)
    losses = TaskLosses(backbone, TASKS)
    support, query = [batch_of(kind, 10 + step) for step in range(settings.steps)], batch_of(kind, 20)
    found = meta_gradient(losses, body, start, support, query, settings, order=2, memory=memory)
    for which, values, gradients in (("body", body, found.body), ("start", start, found.start)):
        torch.manual_seed(7)
        direction = {name: torch.randn_like(value) for name, value in values.items()}

        def after(move: float, which: str = which, values: Values = values, direction: Values = direction) -> float:
            moved = {name: value + move * direction[name] for name, value in values.items()}
            own_body, own_start = (moved, start) if which == "body" else (body, moved)
            return float(losses(own_body, adapted(losses, own_body, own_start, support, settings), query).sum())

        h = 2e-6
        difference = (8 * (after(h) - after(-h)) - (after(2 * h) - after(-2 * h))) / (12 * h)
        slope = sum(float((gradients[name] * direction[name]).sum()) for name in values)
        assert slope == pytest.approx(difference, rel=1e-6), which


def test_first_order_equals_a_plain_loop(checkpoint: Read) -> None:
    """FOMAML by hand: a copy a task, plain SGD steps in place, backward on the query at the adapted point."""
    kind = "token-classification"
    backbone, body, start = prepared(checkpoint, "bert", kind)
    support, query = [batch_of(kind, 2), batch_of(kind, 3)], batch_of(kind, 4)
    found = meta_gradient(TaskLosses(backbone, TASKS), body, start, support, query, SGD, order=1)
    summed: Values = {}
    for task in range(TASKS):
        named = dict(backbone.named_parameters())
        with torch.no_grad():
            for name, value in start.items():
                named[name].copy_(value[task])
        for batch in support:
            backbone(**rows_of(batch, task)).loss.backward()
            with torch.no_grad():
                for name in start:
                    named[name] -= SGD.lr * named[name].grad  # type: ignore[operator]
            backbone.zero_grad()
        for name in body:
            named[name].requires_grad_()
        backbone(**rows_of(query, task)).loss.backward()
        for name, value in named.items():
            own = torch.zeros_like(value) if value.grad is None else value.grad.clone()
            if name in start:
                torch.testing.assert_close(found.start[name][task], own)
            else:
                summed[name] = summed.get(name, torch.zeros_like(own)) + own
        backbone.zero_grad()
        for name in body:
            named[name].requires_grad_(False)
    assert largest(found.body, summed) < 1e-12


@pytest.mark.parametrize("options", ORDERS, ids=str)
def test_without_inner_steps_it_is_joint_training(options: dict[str, Any], checkpoint: Read) -> None:
    kind = "causal-lm"
    backbone, body, start = prepared(checkpoint, "gpt2", kind)
    start = {name: value[:1].expand_as(value) for name, value in start.items()}
    query = batch_of(kind, 4)
    found = meta_gradient(TaskLosses(backbone, TASKS), body, start, [], query, SGD, **options)
    leaves = {name: value.clone().requires_grad_() for name, value in body.items()}
    ends = {name: value[0].clone().requires_grad_() for name, value in start.items()}
    everything: Any = {**leaves, **ends}
    loss = torch.func.functional_call(backbone, everything, kwargs=dict(query)).loss
    # The joint loss is a mean over tokens; ours a sum over tasks of means: make the tasks' tokens weigh the same.
    logits = torch.func.functional_call(backbone, everything, kwargs=dict(query)).logits
    joint = task_means(kind, logits, query["labels"], TASKS).sum()
    gradients = torch.autograd.grad(joint, list(everything.values()))
    plain = dict(zip(everything, gradients, strict=True))
    assert largest(found.body, {name: plain[name] for name in body}) < 1e-12
    assert largest({name: value.sum(0) for name, value in found.start.items()}, {n: plain[n] for n in start}) < 1e-12
    torch.testing.assert_close(task_means(kind, logits, query["labels"], 1)[0], loss, check_dtype=False)


@pytest.mark.parametrize(("architecture", "kind"), PAIRS)
def test_a_tasks_loss_is_the_models_own(architecture: str, kind: str, checkpoint: Read) -> None:
    backbone, body, start = prepared(checkpoint, architecture, kind)
    batch = batch_of(kind, 4)
    found = TaskLosses(backbone, TASKS)(body, start, batch)
    for task in range(TASKS):
        own: Any = {name: value[task] for name, value in start.items()}
        loss = torch.func.functional_call(backbone, {**body, **own}, kwargs=dict(rows_of(batch, task))).loss
        torch.testing.assert_close(found[task], loss, check_dtype=False)  # GPT-2's own loss is in single precision


def test_first_order_leaves_out_a_path_and_second_does_not(checkpoint: Read) -> None:
    backbone, body, start = prepared(checkpoint, "bert", "token-classification")
    support = [batch_of("token-classification", step) for step in range(2)]
    found: list[MetaGradient] = [
        meta_gradient(TaskLosses(backbone, TASKS), body, start, support, batch_of("token-classification", 9), SGD, **it)
        for it in ORDERS
    ]
    assert largest(found[1].body, found[2].body) < 1e-12
    assert largest(found[1].start, found[2].start) < 1e-12
    assert largest(found[0].body, found[1].body) > 1e-4
    assert any(float(value.abs().max()) > 1e-6 for value in found[0].body.values()), "the body is primed"
