"""TARP against plain computations of its equations that build every matrix, in the paper's own orientation.

The paper writes W as [C_in, C_out] and y = W^T x, for each token. Nothing here uses the project's arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from transformers import (
    BartConfig,
    BartModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from harness.adaptations.tarp import Tarp
from harness.adaptations.tarp_dynamic import Recomputed, hadamard
from harness.backbone.anatomy import anatomies
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.backbone.places import Dense
from harness.base.errors import Unsupported
from tests.contract.cells import shake
from tests.contract.probes import logits

IN, OUT, RANK, BLOCKS = 8, 12, 3, 4
TOKENS = (2, 5)
OPTIONS: dict[str, dict[str, Any]] = {
    "dynamic": {},
    "dynamic-recomputed": {"recompute": True},
    "dynamic-linear": {"sigma": "linear"},
    "dynamic-static": {"multiplicative": "static"},
    "dynamic-none": {"multiplicative": "none"},
    "bilinear": {"decomposition": "bilinear"},
    "bilinear-none": {"decomposition": "bilinear", "multiplicative": "none"},
    "kronecker": {"decomposition": "kronecker", "kronecker_factors": BLOCKS},
    "kronecker-none": {"decomposition": "kronecker", "kronecker_factors": BLOCKS, "multiplicative": "none"},
    "matmul": {"decomposition": "matmul"},
    "matmul-linear": {"decomposition": "matmul", "sigma": "linear"},
}
each = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


class Body(nn.Module):
    """One dense layer, as a model's body holds it."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.dense = nn.Linear(into, out)


class OneLayer(Backbone):
    """A backbone of one dense layer."""

    def __init__(self, into: int = IN, out: int = OUT) -> None:
        nn.Module.__init__(self)
        self.model: Any = Body(into, out)
        self.added = nn.ModuleDict()
        self.several: Any = None  # a pass serves one task

    def dense_layers(self, targets: Any) -> Any:
        dense = self.model.dense
        return [Dense(self, "layer", dense, dense.in_features, dense.out_features)]

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        given: Tensor = self.model.dense(x)
        return given


def one_layer(
    options: dict[str, Any], dtype: torch.dtype = torch.float64, seed: int = 0, widths: tuple[int, int] = (IN, OUT)
) -> OneLayer:
    """A layer with TARP, all its factors moved from where they start."""
    torch.manual_seed(seed)
    layer = OneLayer(*widths)
    Tarp(rank=RANK, targets="all", **options).attach(layer)
    layer.to(dtype)
    with torch.no_grad():
        for parameter in layer.added.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def by_the_equation(x: Tensor, named: dict[str, Tensor], options: dict[str, Any]) -> Tensor:
    """y = W(x)^T x + b of equations 1 and 3, a whole W for each token; `named` are the layer's parameters."""
    weight = named["model.dense.weight"].T  # [C_in, C_out]
    parts = {name.removeprefix("added.").split(".", 1)[1]: value for name, value in named.items() if "added." in name}
    decomposition, multiplicative = options.get("decomposition", "dynamic"), options.get("multiplicative")
    additive = "" if multiplicative == "none" else "shift."  # alone it is a module of its own
    rows = []
    for token in x.reshape(-1, x.shape[-1]):
        if decomposition == "bilinear":
            scale = 1 + parts["factor.into"].T @ parts["factor.out"].T if multiplicative != "none" else 1
            whole = scale * weight + parts[f"{additive}into"].T @ parts[f"{additive}out"].T
        elif decomposition == "kronecker":
            scale = 1 + kronecker(parts, "factor.") if multiplicative != "none" else 1
            whole = scale * weight + kronecker(parts, additive)
        else:
            sigma = sigma_of(token, parts)
            shift = parts["shift.into"].T @ sigma @ parts["shift.out"].T
            if decomposition == "matmul":
                factor = torch.eye(len(weight), dtype=x.dtype) + parts["scale.into"].T @ sigma @ parts["scale.out"].T
                whole = factor @ weight + shift
            elif multiplicative == "static":
                exponents = parts["factor.into"].T @ parts["factor.out"].T + math.log(math.e - 1)
                whole = torch.log1p(torch.exp(exponents)) * weight + shift
            elif multiplicative == "none":
                whole = weight + shift
            else:
                factor = 1 + parts["scale.into"].T @ sigma @ parts["scale.out"].T
                whole = factor * weight + shift
        rows.append(whole.T @ token + named["model.dense.bias"])
    return torch.stack(rows).reshape(*x.shape[:-1], -1)


def sigma_of(token: Tensor, parts: dict[str, Tensor]) -> Tensor:
    """Sigma(x) of one token."""
    hidden = parts["sigma.first"] @ token
    if "sigma.second" in parts:
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
        hidden = parts["sigma.second"] @ hidden
    return hidden.reshape(RANK, RANK)


def kronecker(parts: dict[str, Tensor], prefix: str) -> Tensor:
    """Sum over k of H_k (x) (U_k V_k^T), [C_in, C_out], by torch.kron."""
    mix, into, out = (parts[prefix + name] for name in ("mix", "into", "out"))
    total: Tensor = sum(torch.kron(mix[k].contiguous(), into[k].T @ out[k].T) for k in range(BLOCKS))  # type: ignore[assignment]
    return total


@each
@pytest.mark.parametrize("widths", [(IN, OUT), (OUT, IN)], ids=["widening", "narrowing"])
@pytest.mark.parametrize(("dtype", "within"), [(torch.float64, 1e-11), (torch.float32, 1e-5)])
def test_forward_and_gradients_follow_the_equations(
    options: dict[str, Any], dtype: torch.dtype, within: float, widths: tuple[int, int]
) -> None:
    layer = one_layer(options, dtype, widths=widths)
    named = dict(layer.named_parameters())
    x = torch.randn(*TOKENS, widths[0], dtype=dtype, requires_grad=True)
    wanted = by_the_equation(x.double(), {name: value.double() for name, value in named.items()}, options)
    given = layer(x)
    torch.testing.assert_close(given, wanted.to(dtype), rtol=within, atol=within)
    weights = torch.randn(wanted.shape, dtype=torch.float64)
    inputs = {"x": x, **named}
    ours = torch.autograd.grad((given * weights.to(dtype)).sum(), list(inputs.values()))
    theirs = torch.autograd.grad((wanted * weights).sum(), list(inputs.values()))
    for name, mine, plain in zip(inputs, ours, theirs, strict=True):
        assert plain.abs().max() > 1e-3, f"{name} has no gradient to compare"
        size = float(plain.abs().max())
        torch.testing.assert_close(mine, plain, rtol=10 * within, atol=within * size, msg=lambda t, n=name: f"{n}: {t}")


@each
def test_second_derivatives(options: dict[str, Any]) -> None:
    layer = one_layer(options)
    named = dict(layer.named_parameters())
    x = torch.randn(2, IN, dtype=torch.float64)

    def twice(function: Callable[[], Tensor]) -> tuple[Tensor, ...]:
        first = torch.autograd.grad(function().square().sum(), list(named.values()), create_graph=True)
        return torch.autograd.grad(sum(gradient.sin().sum() for gradient in first), list(named.values()))

    ours = twice(lambda: layer(x))
    theirs = twice(lambda: by_the_equation(x, named, options))
    for name, mine, plain in zip(named, ours, theirs, strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-8, atol=1e-8, msg=lambda t, n=name: f"{n}: {t}")


@pytest.mark.parametrize("product", [hadamard, Recomputed.apply], ids=["kept", "recomputed"])
@pytest.mark.parametrize(("into", "out"), [(3, 4), (4, 3)])
def test_the_dynamic_product_by_finite_differences(product: Callable[..., Tensor], into: int, out: int) -> None:
    torch.manual_seed(0)
    shapes = ((2, into), (2, 2, 2), (2, into), (out, 2), (out, into))  # x, Sigma, U, V, W0
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(product, inputs)
    assert torch.autograd.gradgradcheck(product, inputs)


@each
def test_vmap_over_tasks_equals_a_loop(options: dict[str, Any]) -> None:
    layers = [one_layer(options, seed=seed) for seed in range(3)]
    base = layers[0]
    stacked = {name: value.detach() for name, value in stack_module_state([one.added for one in layers])[0].items()}
    frozen = dict(base.model.named_parameters(prefix="model"))
    x = torch.randn(3, *TOKENS, IN, dtype=torch.float64)

    def loss(added: dict[str, Tensor], given: Tensor) -> Tensor:
        named = {f"added.{name}": value for name, value in added.items()}
        output: Tensor = functional_call(base, {**frozen, **named}, (given,))
        return output.square().sum()

    together = vmap(torch.func.grad(loss))(stacked, x)
    outside = {name: value.clone().requires_grad_() for name, value in stacked.items()}
    through = torch.autograd.grad(vmap(loss)(outside, x).sum(), list(outside.values()))
    for place, _ in enumerate(layers):
        alone = torch.func.grad(loss)({name: value[place] for name, value in stacked.items()}, x[place])
        for (name, gradient), other in zip(alone.items(), through, strict=True):
            torch.testing.assert_close(together[name][place], gradient, rtol=1e-10, atol=1e-10)
            torch.testing.assert_close(other[place], gradient, rtol=1e-10, atol=1e-10)


@each
def test_it_starts_as_the_layer_and_can_leave_the_start(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer, x = OneLayer(), torch.randn(*TOKENS, IN)
    bare = layer(x)
    Tarp(rank=RANK, targets="all", **options).attach(layer)
    torch.testing.assert_close(layer(x), bare, rtol=0, atol=1e-6)
    added = dict(layer.added.named_parameters())
    step = torch.optim.SGD(added.values(), lr=0.1)
    for round_ in range(2):  # the zero side moves first, all others follow
        step.zero_grad()
        (layer(x) - 1).square().mean().backward()
        still = {name for name, value in added.items() if float(value.grad.abs().max()) == 0}  # type: ignore[union-attr]
        assert still == ({name for name in added if not name.endswith("out")} if round_ == 0 else set())
        step.step()


@each
def test_it_reaches_a_model_stored_transposed(options: dict[str, Any], checkpoint: Callable[..., Checkpoint]) -> None:
    backbone = checkpoint("gpt2", "causal-lm").backbone(0)
    before = logits(backbone)
    Tarp(rank=RANK, **options).attach(backbone)
    torch.testing.assert_close(logits(backbone), before, rtol=0, atol=1e-5)
    shake(backbone, 0.1)
    assert (logits(backbone) - before).abs().max() > 1e-3
    name = "model.transformer.h.0.mlp.c_fc.weight"
    backbone.model.requires_grad_(True)
    backbone(input_ids=torch.arange(5, 9)[None], labels=torch.arange(5, 9)[None]).loss.backward()
    assert dict(backbone.named_parameters())[name].grad is not None
    assert not any(value is dict(backbone.named_parameters())[name] for value in backbone.added.parameters())


def share(model: PreTrainedModel, **options: Any) -> tuple[int, float]:
    """The parameters that TARP adds to a model of the meta device, and their percentage of the model's."""
    whole = sum(value.numel() for value in model.parameters())
    backbone = Backbone(model, anatomies()[model.config.model_type], "causal-lm", frozenset())
    with torch.device("meta"):
        Tarp(**options).attach(backbone)
    added = sum(value.numel() for value in backbone.added.parameters())
    return added, 100 * added / whole


@pytest.fixture
def gpt2_medium() -> PreTrainedModel:
    with torch.device("meta"):
        return GPT2LMHeadModel(GPT2Config(n_embd=1024, n_layer=24, n_head=16))


@pytest.fixture
def bart_base() -> PreTrainedModel:
    with torch.device("meta"):
        config = BartConfig(vocab_size=50265, d_model=768, encoder_layers=6, decoder_layers=6)
        config.encoder_ffn_dim = config.decoder_ffn_dim = 3072
        return BartModel(config)


@pytest.fixture
def roberta_base() -> PreTrainedModel:
    with torch.device("meta"):
        return RobertaModel(RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1))


def test_sizes_of_gpt2_medium(gpt2_medium: PreTrainedModel) -> None:
    assert share(gpt2_medium, rank=4) == (3_840_000, pytest.approx(1.08, abs=0.005))


def test_sizes_of_gpt2_medium_by_the_code(gpt2_medium: PreTrainedModel) -> None:
    added, percent = share(gpt2_medium, rank=4, sigma="linear", multiplicative="static")
    assert (round(added / 1e4), percent) == (590, pytest.approx(1.66, abs=0.005))


@pytest.mark.parametrize(("decomposition", "percent"), [("bilinear", 2.4), ("kronecker", 2.4), ("matmul", 1.0)])
def test_sizes_of_table_6(gpt2_medium: PreTrainedModel, decomposition: Any, percent: float) -> None:
    rank = 4 if decomposition == "matmul" else 11
    assert round(share(gpt2_medium, rank=rank, decomposition=decomposition)[1], 1) == percent


def test_sizes_of_bart_base(bart_base: PreTrainedModel) -> None:
    assert share(bart_base, rank=16, multiplicative="none") == (5_259_264, pytest.approx(3.8, abs=0.05))


@pytest.mark.parametrize(("multiplicative", "percent"), [("dynamic", 1.2), ("none", 0.73)])
def test_sizes_of_roberta_base(roberta_base: PreTrainedModel, multiplicative: Any, percent: float) -> None:
    _, found = share(roberta_base, rank=8, multiplicative=multiplicative)
    assert found == pytest.approx(percent, abs=0.01)


def test_where_it_stands_unless_told(gpt2_medium: PreTrainedModel, roberta_base: PreTrainedModel) -> None:
    assert share(roberta_base, rank=8)[0] == share(roberta_base, rank=8, targets="attention")[0]
    assert share(roberta_base, rank=8, targets="all")[1] == pytest.approx(2.7, abs=0.01)
    assert share(gpt2_medium, rank=4)[0] == share(gpt2_medium, rank=4, targets="all")[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rank": 0}, "greater than or equal to 1"),
        ({"kronecker_factors": 4}, "only the kronecker decomposition"),
        ({"decomposition": "matmul", "kronecker_factors": 4}, "only the kronecker decomposition"),
        ({"decomposition": "kronecker", "kronecker_factors": 0}, "greater than or equal to 1"),
        ({"decomposition": "bilinear", "sigma": "mlp"}, "have no Sigma"),
        ({"decomposition": "kronecker", "sigma": "linear"}, "have no Sigma"),
        ({"decomposition": "bilinear", "multiplicative": "dynamic"}, "read no input"),
        ({"decomposition": "matmul", "multiplicative": "none"}, "use decomposition: dynamic"),
        ({"decomposition": "matmul", "multiplicative": "static"}, "use decomposition: dynamic"),
        ({"decomposition": "bilinear", "recompute": True}, "only a dynamic multiplicative part"),
        ({"multiplicative": "none", "recompute": True}, "only a dynamic multiplicative part"),
    ],
)
def test_options_without_a_meaning_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        Tarp(**options)
    assert refused.value.error_count() == 1


@each
def test_what_is_dumped_can_be_read_again(options: dict[str, Any]) -> None:
    tarp = Tarp(rank=RANK, **options)
    again = Tarp(**tarp.model_dump())
    assert again == tarp
    assert {"rank", "decomposition", *options} <= set(tarp.model_dump())


def test_kronecker_factors_that_do_not_divide_name_the_layer(checkpoint: Callable[..., Checkpoint]) -> None:
    backbone = checkpoint("bart", "summarization").backbone(0)
    with pytest.raises(Unsupported, match=r"kronecker_factors is 5, .* encoder\.0\.self\.query, 32 -> 32"):
        Tarp(decomposition="kronecker", kronecker_factors=5).attach(backbone)
    assert len(backbone.added) == 0


def test_recomputing_keeps_no_product() -> None:
    kept = {name: bytes_kept(OPTIONS[name]) for name in ("dynamic", "dynamic-recomputed", "dynamic-none")}
    element, tokens = 8, math.prod(TOKENS)
    products, sigma = RANK * (IN + OUT), RANK * RANK
    assert kept["dynamic-recomputed"] == kept["dynamic-none"]
    assert kept["dynamic"] - kept["dynamic-none"] == element * tokens * (products + sigma)


def bytes_kept(options: dict[str, Any]) -> int:
    """The bytes that a layer with frozen W0 keeps for the backward pass, each storage once."""
    layer = one_layer(options)
    layer.model.requires_grad_(False)
    own = {value.untyped_storage().data_ptr() for value in layer.parameters()}
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        layer(torch.randn(*TOKENS, IN, dtype=torch.float64, requires_grad=True))
    return sum(kept.values())
