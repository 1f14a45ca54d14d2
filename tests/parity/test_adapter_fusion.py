"""AdapterFusion against its equations written as loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from harness.adaptations.adapter_fusion import AdapterFusion
from harness.adaptations.fused_adapters import FusedAdapters
from harness.backbone.load import Checkpoint
from harness.learn.save import attach
from harness.meta.gradient import meta_gradient
from harness.meta.tasks import TaskLosses
from tests.contract.probes import logits
from tests.parity.test_meta import SGD, TASKS, batch_of, largest, prepared, rows_of

WIDTH, BOTTLENECK, SOURCES = 6, 3, 4


def made() -> FusedAdapters:
    torch.manual_seed(0)
    module = FusedAdapters(WIDTH, BOTTLENECK, SOURCES).double()
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn_like(value))
    return module


def test_attention_over_adapters_equals_its_equations() -> None:
    """For one token at a time: s_n = softmax((Q h) . (K a_n)), h + sum_n s_n V a_n."""
    module, batch = made(), torch.randn(2, 3, WIDTH).double()
    found = module(batch)
    for row in range(2):
        for place in range(3):
            h = batch[row, place]
            outputs = [
                adapter.up @ functional.gelu(adapter.down @ h + adapter.down_bias) + adapter.up_bias
                for adapter in module.adapters
            ]
            scores = [((module.query @ h) @ (module.key @ output)).item() for output in outputs]
            total = sum(math.exp(score) for score in scores)
            wanted = h.clone()
            for score, output in zip(scores, outputs, strict=True):
                wanted += math.exp(score) / total * (module.value @ output)
            torch.testing.assert_close(found[row, place], wanted)


def test_it_starts_at_the_mean_of_the_adapters() -> None:
    torch.manual_seed(0)
    module, h = FusedAdapters(WIDTH, BOTTLENECK, SOURCES), torch.randn(5, WIDTH)
    with torch.no_grad():
        for value in module.adapters.parameters():
            value.copy_(torch.randn_like(value))
    mean = torch.stack([adapter(h) for adapter in module.adapters]).mean(0)
    assert mean.abs().max() > 0.1
    torch.testing.assert_close(module(h), h + mean)
    module(h).sum().backward()
    assert module.query.grad is not None
    assert module.query.grad.abs().max() > 1e-3, "it can leave the start"


@pytest.mark.parametrize("order", [1, 2])
def test_several_tasks_in_one_pass_equal_each_alone(order: Any, checkpoint: Callable[..., Checkpoint]) -> None:
    """Frozen adapters are shared, attention over them is each task's own."""
    kind = "token-classification"
    backbone, body, start = prepared(checkpoint, "bert", kind, "adapter_fusion")
    assert any(".adapters." in name for name in body)
    assert not any(".adapters." in name for name in start)
    support, query = [batch_of(kind, 2)], batch_of(kind, 4)
    found = meta_gradient(TaskLosses(backbone, TASKS), body, start, support, query, SGD, order=order)
    for task in range(TASKS):
        own = {name: value[task : task + 1] for name, value in start.items()}
        rows = [rows_of(batch, task) for batch in support]
        alone = meta_gradient(TaskLosses(backbone, 1), body, own, rows, rows_of(query, task), SGD, order=order)
        assert largest({name: value[task : task + 1] for name, value in found.start.items()}, alone.start) < 1e-12


def test_the_penalty_is_the_distance_of_the_value_matrices_from_the_identity(
    checkpoint: Callable[..., Checkpoint],
) -> None:
    backbone = checkpoint("gpt2", "causal-lm").backbone(0)
    adaptation = AdapterFusion(bottleneck=4, regularization=0.5)
    attach(backbone, [adaptation], 0)
    assert float(adaptation.penalty(backbone)) == 0.0  # type: ignore[arg-type]
    modules: Any = list(backbone.added.values())
    with torch.no_grad():
        modules[0].value[1, 2] += 3.0
        modules[1].value[0, 0] -= 2.0
    assert float(adaptation.penalty(backbone)) == pytest.approx(0.5 * (9.0 + 4.0))  # type: ignore[arg-type]
    assert AdapterFusion(regularization=0).penalty(backbone) is None


@pytest.mark.parametrize(("placement", "places"), [("pfeiffer", 2), ("houlsby", 4)])
def test_a_checkpoint_says_how_many_adapters_there_are(
    placement: Any, places: int, checkpoint: Callable[..., Checkpoint]
) -> None:
    backbone = checkpoint("gpt2", "causal-lm").backbone(0)
    backbone.model.config.adapter_sources = ["a", "b", "c"]
    attach(backbone, [AdapterFusion(bottleneck=4, placement=placement, sources=9)], 0)
    modules: Any = list(backbone.added.values())
    assert [len(module.adapters) for module in modules] == [3] * places
    attached = logits(backbone)
    with torch.no_grad():
        for module in modules:
            for adapter in module.adapters:
                adapter.up.zero_()
    assert not torch.equal(attached, logits(backbone)), "the adapters reach the output"
