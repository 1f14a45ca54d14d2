"""Adapters at every placement, prefixes with and without their MLP, MAM and the top layers, in double precision.

The oracle is the whole model written out in `plain.py`, with the papers' formulas at its places. Compared are
the logits and the gradients of all parameters, the body's included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from harness.adaptations.adapter import Adapter, Placement
from harness.adaptations.prefix import Prefix
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.base.errors import Unsupported
from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import methods
from harness.learn.save import attach
from harness.parts.build import adaptations_of
from tests.contract.cells import Read, shake
from tests.contract.probes import batch_for
from tests.models import HEADS, LAYERS, WIDTH
from tests.parity.everywhere import every_pairing
from tests.parity.plain import KeysAndValues, Unchanged, plain_logits

EXACT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-9}  # only the order of sums differs
BOTTLENECK, SCALE, LENGTH, HIDDEN = 5, 2.5, 3, 6
SUBLAYERS = {"bert": 4, "roberta": 4, "gpt2": 4, "bart": 10}
FFNS = {"bert": 2, "roberta": 2, "gpt2": 2, "bart": 4}


def gelu(z: Tensor) -> Tensor:
    return 0.5 * z * (1 + torch.erf(z / math.sqrt(2)))


def bottleneck(added: dict[str, Tensor], name: str, x: Tensor, bend: Callable[[Tensor], Tensor]) -> Tensor:
    """W_up f(W_down x + b_down) + b_up."""
    inner = bend(torch.einsum("...i,bi->...b", x, added[f"{name}.down"]) + added[f"{name}.down_bias"])
    return torch.einsum("...b,ob->...o", inner, added[f"{name}.up"]) + added[f"{name}.up_bias"]


class WithAdapters(Unchanged):
    """An adapter's formula at the places that hold one."""

    def __init__(self, placement: Placement, added: dict[str, Tensor], scale: float) -> None:
        self.placement, self.added, self.scale = placement, added, scale
        self.used: set[str] = set()

    def here(self, name: str) -> bool:
        if self.placement == "last":
            return False
        return self.placement == "houlsby" or name.endswith(".ffn")

    def sublayer(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        if not self.here(name):
            return y
        key = name.replace(".", "_")
        self.used.add(key)
        if self.placement == "parallel":
            return y + self.scale * bottleneck(self.added, key, x, lambda z: z.clamp(min=0))
        return y + self.scale * bottleneck(self.added, key, y, gelu)

    def final(self, y: Tensor) -> Tensor:
        if self.placement != "last":
            return y
        self.used.add("final")
        return y + self.scale * bottleneck(self.added, "final", y, gelu)


class WithPrefix(Unchanged):
    """A prefix at every attention: as it is, or from the MLP over its positions' embeddings."""

    def __init__(self, added: dict[str, Tensor]) -> None:
        self.added = added
        self.used: set[str] = set()

    def prefix(self, name: str) -> KeysAndValues:
        key = name.replace(".", "_")
        self.used.add(key)
        if f"{key}.keys" in self.added:
            return self.added[f"{key}.keys"], self.added[f"{key}.values"]
        trunk = {part.split(".trunk.")[1]: value for part, value in self.added.items() if ".trunk." in part}
        rows = []
        for embedding in trunk["embedding"]:
            inner = torch.tanh(trunk["down"] @ embedding + trunk["down_bias"])
            rows.append(self.added[f"{key}.up"] @ inner + self.added[f"{key}.up_bias"])
        keys, values = torch.stack(rows).chunk(2, dim=1)  # each [length, width], head after head
        return torch.stack(keys.chunk(HEADS, dim=1)), torch.stack(values.chunk(HEADS, dim=1))


class WithBoth(WithPrefix):
    """MAM: a prefix in attention and an adapter beside the FFN (He et al., 2022, section 4.6)."""

    def __init__(self, added: dict[str, Tensor], scale: float) -> None:
        super().__init__(added)
        self.adapters = WithAdapters("parallel", added, scale)

    def sublayer(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        return self.adapters.sublayer(name, x, y)


def prepared(read: Checkpoint, adaptations: Sequence[Adaptation]) -> tuple[Backbone, Any, dict[str, Tensor]]:
    """A backbone with adaptations away from their start, its model without them, and copies of what was added."""
    backbone = read.backbone(0)
    attach(backbone, adaptations, 0)
    shake(backbone, 0.2)
    bare = read.backbone(0).model
    names = set(dict(bare.named_parameters()))
    state = {name: value for name, value in backbone.model.state_dict().items() if name in names}
    bare.load_state_dict(state, strict=False)
    added = {name: value.detach().double().requires_grad_() for name, value in backbone.added.named_parameters()}
    backbone.double().eval().requires_grad_(True)
    return backbone, bare.double().eval().requires_grad_(True), added


def compare(backbone: Backbone, bare: Any, added: dict[str, Tensor], change: Unchanged) -> None:
    """Logits, and the gradients of a random sum of them: of what was added, and of the model's own parameters."""
    batch = batch_for(backbone)
    found, wanted = backbone(**batch).logits, plain_logits(bare, batch, change)
    torch.testing.assert_close(found, wanted, **EXACT)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(3), dtype=found.dtype)
    mine = {f"model.{name}": value for name, value in backbone.model.named_parameters()}
    mine |= {f"added.{name}": value for name, value in backbone.added.named_parameters()}
    plain = {f"model.{name}": value for name, value in bare.named_parameters()}
    plain |= {f"added.{name}": value for name, value in added.items()}
    assert mine.keys() == plain.keys()
    given = torch.autograd.grad((found * weights).sum(), list(mine.values()), allow_unused=True)
    right = torch.autograd.grad((wanted * weights).sum(), [plain[name] for name in mine], allow_unused=True)
    for name, one, other in zip(mine, given, right, strict=True):
        assert (one is None) == (other is None), name
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, **EXACT, msg=lambda text, name=name: f"{name}: {text}")
        if name.startswith("added."):
            assert other is not None, name
            assert other.abs().max() > 1e-6, f"{name} has no gradient to compare"


@every_pairing
def test_the_plain_model_is_the_model(architecture: str, kind: Any, labels: int | None, checkpoint: Read) -> None:
    backbone, bare, added = prepared(checkpoint(architecture, kind, labels), [])
    assert not added
    compare(backbone, bare, added, Unchanged())


@every_pairing
@pytest.mark.parametrize("placement", get_args(Placement))
def test_adapter(architecture: str, kind: Any, labels: int | None, placement: Placement, checkpoint: Read) -> None:
    adapter = Adapter(bottleneck=BOTTLENECK, placement=placement, scale=SCALE)
    backbone, bare, added = prepared(checkpoint(architecture, kind, labels), [adapter])
    change = WithAdapters(placement, added, SCALE)
    compare(backbone, bare, added, change)
    number = {"houlsby": SUBLAYERS[architecture], "last": 1}.get(placement, FFNS[architecture])
    assert len(change.used) == len(backbone.added) == number


@every_pairing
@pytest.mark.parametrize("hidden", [None, HIDDEN])
def test_prefix(architecture: str, kind: Any, labels: int | None, hidden: int | None, checkpoint: Read) -> None:
    prefix = Prefix(length=LENGTH, hidden=hidden)
    backbone, bare, added = prepared(checkpoint(architecture, kind, labels), [prefix])
    change = WithPrefix(added)
    compare(backbone, bare, added, change)
    attentions = SUBLAYERS[architecture] - FFNS[architecture]
    assert len(change.used) == len(backbone.added) == attentions
    one = 2 * LENGTH * WIDTH if hidden is None else 2 * WIDTH * (HIDDEN + 1)
    shared = 0 if hidden is None else LENGTH * WIDTH + HIDDEN * (WIDTH + 1)
    assert sum(value.numel() for value in added.values()) == attentions * one + shared


@every_pairing
def test_mam(architecture: str, kind: Any, labels: int | None, checkpoint: Read) -> None:
    adaptations: Any = adaptations_of(methods()["mam"])
    backbone, bare, added = prepared(checkpoint(architecture, kind, labels), adaptations)
    change = WithBoth(added, scale=2.0)
    compare(backbone, bare, added, change)
    assert len(change.used) + len(change.adapters.used) == len(backbone.added)


def test_the_parallel_adapter_starts_as_lora_does(checkpoint: Read) -> None:
    """A uniform in [-1 / sqrt(width), 1 / sqrt(width)], whose deviation is 1 / sqrt(3 width); B and biases zero."""
    backbone = checkpoint("bert", "token-classification", 7).backbone(0)
    attach(backbone, [Adapter(bottleneck=400, placement="parallel")], 0)
    for name, value in backbone.added.named_parameters():
        if name.endswith(".down"):
            assert value.abs().max() <= WIDTH**-0.5
            assert float(value.detach().std()) == pytest.approx((3 * WIDTH) ** -0.5, rel=0.02)
        else:
            assert not value.any(), name


@pytest.mark.parametrize(("architecture", "kind"), [("gpt2", "causal-lm"), ("bart", "summarization")])
@pytest.mark.parametrize("layers", range(1, LAYERS + 1))
def test_the_last_layers_of_the_stack_that_gives_the_output_train(
    architecture: str, kind: Any, layers: int, checkpoint: Read
) -> None:
    backbone = checkpoint(architecture, kind).backbone(0)
    attach(backbone, [top(layers)], 0)
    path = {"gpt2": "transformer.h", "bart": "model.decoder.layers"}[architecture]
    lasts = tuple(f"model.{path}.{place}." for place in range(LAYERS - layers, LAYERS))
    assert set(backbone.trained()) == {name for name, _ in backbone.named_parameters() if name.startswith(lasts)}


def test_more_layers_than_there_are_cannot_train(checkpoint: Read) -> None:
    with pytest.raises(Unsupported, match=f"the last {LAYERS + 1} layers cannot train: the decoder has {LAYERS}"):
        attach(checkpoint("bart", "summarization").backbone(0), [top(LAYERS + 1)], 0)


def top(layers: int) -> Adaptation:
    one: Any = adaptations_of(methods()["top2"])[0]
    return one.model_copy(update={"layers": layers})  # type: ignore[no-any-return]
