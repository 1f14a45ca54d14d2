"""AdapterFusion against its equations written as loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from harness.adaptations.adapter_fusion import AdapterFusion, FusedAdapters
from harness.backbone.load import Checkpoint
from harness.learn.save import attach
from tests.contract.probes import logits

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
    """Exactly where nothing is asked, and nearly so from the start that is drawn."""
    torch.manual_seed(0)
    module, h = FusedAdapters(WIDTH, BOTTLENECK, SOURCES), torch.randn(5, WIDTH)
    mean = h + torch.stack([adapter(h) for adapter in module.adapters]).mean(0)
    torch.testing.assert_close(module(h), mean, rtol=0, atol=1e-5)
    with torch.no_grad():
        module.query.zero_()
    torch.testing.assert_close(module(h), mean, rtol=0, atol=1e-7)


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
