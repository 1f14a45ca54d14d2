"""What every discovered method leaves frozen, as autograd has it, and that no gradient is taken of what is frozen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from harness.backbone.backbone import Backbone
from harness.backbone.frozen import Frozen
from harness.contracts.adaptation import Adaptation
from harness.parts.build import adaptations_of
from tests.contract.cells import Case, Read, attached, cases
from tests.contract.probes import labelled

learning = pytest.mark.parametrize("case", [case for case in cases() if case.folder.spec.train.steps], ids=str)


def reached(backbone: Backbone) -> tuple[bool, dict[str, list[bool]]]:
    """Whether a gradient reaches what the embeddings give, and of each stack what each layer computes."""
    layers: dict[str, list[bool]] = {}

    def watched(stack: str, before: Any) -> Any:
        def forward(*inputs: Any, **options: Any) -> Any:
            given = before(*inputs, **options)
            layers.setdefault(stack, []).append((given if isinstance(given, torch.Tensor) else given[0]).requires_grad)
            return given

        return forward

    for stack, _, layer in backbone.layers():
        layer.__dict__["forward"] = watched(stack, layer.forward)
    embeddings: list[bool] = []
    for module in backbone.transformer.modules():
        if isinstance(module, nn.Embedding):
            module.register_forward_hook(lambda _, __, given: embeddings.append(given.requires_grad))
    backbone(**labelled(backbone)).loss.backward()
    return any(embeddings), layers


@learning
def test_frozen_layers_are_those_that_no_gradient_reaches(case: Case, checkpoint: Read) -> None:
    backbone = attached(case, checkpoint)
    frozen = {stack: len(layers) for stack, layers in Frozen(backbone).layers.items()}
    table: Any = backbone.transformer.get_input_embeddings()
    embeddings, layers = reached(backbone)
    assert embeddings == table.weight.requires_grad
    for stack, its in layers.items():
        assert [*its, True].index(True) == frozen.get(stack, 0), stack
    parts = [part for part in adaptations_of(case.folder) if isinstance(part, Adaptation)]
    left = min(part.leaves(sum(map(len, layers.values()))) for part in parts)  # as they say without a model
    assert max(0, left) == sum(frozen.values())
    for name, parameter in backbone.named_parameters():
        assert parameter.requires_grad or parameter.grad is None, name


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "bart"])
@pytest.mark.parametrize("place", ["embeddings", "final", "inside", "before", "behind"])
def test_what_is_put_in_anywhere_is_seen(place: str, architecture: str, checkpoint: Read) -> None:
    kind = {"bert": "token-classification", "gpt2": "causal-lm", "bart": "summarization"}[architecture]
    backbone = checkpoint(architecture, kind, 7 if architecture == "bert" else None).backbone(0)
    stacks = list(backbone.anatomy.stacks)
    last = [layer for stack, _, layer in backbone.layers() if stack == stacks[-1]]
    whole = dict.fromkeys(stacks, 2)
    assert {stack: len(its) for stack, its in Frozen(backbone).layers.items()} == whole

    def hook(*_: Any) -> None:
        return None

    inner = next(module for module in last[-1].modules() if isinstance(module, nn.LayerNorm))
    table: Any = backbone.transformer.get_input_embeddings()
    wanted: dict[str, dict[str, int]] = {
        "embeddings": {},
        "final": whole,
        "inside": whole | {stacks[-1]: 1},
        "before": whole | {stacks[-1]: 1},
        "behind": whole,
    }
    if place == "embeddings":
        table.weight.requires_grad_(True)
    elif place == "final":
        backbone.final().module.register_forward_hook(hook)
    elif place == "inside":
        inner.register_forward_hook(hook)
    elif place == "before":
        last[-1].register_forward_pre_hook(hook)
    else:
        last[-1].register_forward_hook(hook)
    assert {stack: len(its) for stack, its in Frozen(backbone).layers.items()} == wanted[place]
    if place == "behind" and len(stacks) > 1:  # what the encoder gives is read by the whole decoder
        next(layer for stack, _, layer in backbone.layers() if stack == stacks[0]).register_forward_hook(hook)
        assert {stack: len(its) for stack, its in Frozen(backbone).layers.items()} == {stacks[0]: 1}
