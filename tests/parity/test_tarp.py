"""TARP against its equations, written out densely and token by token in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from harness.adaptations.tarp import ONE, Bilinear, Dynamic, DynamicProduct, Kronecker, KroneckerFactors, Scale, Tarp
from harness.backbone.backbone import Backbone, Dense
from harness.backbone.load import Checkpoint
from harness.base.errors import Unsupported

TOKENS, RANK, TERMS = 5, 3, 2
SHAPES = [(6, 8), (8, 6), (6, 6)]


def dense(in_features: int, out_features: int) -> Dense:
    """A dense layer's shape; the modules ask for nothing else."""
    owner: Any = None
    return Dense(owner, "layer", nn.Linear(in_features, out_features), in_features, out_features)


def spread(module: nn.Module) -> nn.Module:
    """Every factor away from where it starts."""
    torch.manual_seed(3)
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
    return module


def sigma_of(module: Any, x: Tensor) -> Tensor:
    """Sigma(x) of one token, [r, r], from the MLP's own weights."""
    inner = x if module.down is None else torch.nn.functional.gelu(module.down @ x)
    return (module.up @ inner).reshape(RANK, RANK)


def dynamic(module: Any, x: Tensor, weight: Tensor) -> Tensor:
    """Equations 1 and 3 with whole matrices, less W0 x; the paper's matrices are [in, out]."""
    sigma = sigma_of(module.sigma, x)
    second = module.additive.u @ sigma @ module.additive.v.T
    change = second
    if module.multiplicative is not None:
        change = change + (module.multiplicative.u @ sigma @ module.multiplicative.v.T) * weight.T
    return change.T @ x


def product(module: Any, x: Tensor, weight: Tensor) -> Tensor:
    """The matrix product in Hadamard's place, on the output's side, less W0 x."""
    sigma = sigma_of(module.sigma, x)
    first = module.multiplicative.u @ sigma @ module.multiplicative.v.T  # [out, out]
    second = module.additive.u @ sigma @ module.additive.v.T
    return (weight.T @ first + second).T @ x


DYNAMIC: dict[str, tuple[Callable[[Dense], nn.Module], Callable[[Any, Tensor, Tensor], Tensor]]] = {
    "both": (lambda its: Dynamic(its, RANK, True, True), dynamic),
    "additive": (lambda its: Dynamic(its, RANK, True, False), dynamic),
    "linear sigma": (lambda its: Dynamic(its, RANK, False, True), dynamic),
    "matmul": (lambda its: DynamicProduct(its, RANK, True), product),
}


def compare(ours: Tensor, plain: Tensor, tensors: dict[str, Tensor], exact: float = 1e-10) -> None:
    """The same output and the same gradients of a random projection of it."""
    torch.testing.assert_close(ours, plain, rtol=exact, atol=exact)
    weights = torch.randn_like(plain)
    mine = torch.autograd.grad((ours * weights).sum(), list(tensors.values()), allow_unused=True)
    theirs = torch.autograd.grad((plain * weights).sum(), list(tensors.values()), allow_unused=True)
    for name, one, other in zip(tensors, mine, theirs, strict=True):
        assert (one is None) == (other is None), name
        if one is not None and other is not None:
            assert name == "x" or float(one.abs().max()) > 1e-6, name
            torch.testing.assert_close(
                one, other, rtol=10 * exact, atol=10 * exact, msg=lambda text, n=name: f"{n} {text}"
            )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("which", DYNAMIC)
def test_dynamic_is_its_equation(which: str, shape: tuple[int, int]) -> None:
    make, plain = DYNAMIC[which]
    module = spread(make(dense(*shape)))
    x = torch.randn(2, TOKENS, shape[0], dtype=torch.float64, requires_grad=True)
    weight = torch.randn(shape[1], shape[0], dtype=torch.float64, requires_grad=True)
    one_by_one = torch.stack([torch.stack([plain(module, token, weight) for token in row]) for row in x])
    compare(module(x, weight), one_by_one, {**dict(module.named_parameters()), "weight": weight, "x": x})


@pytest.mark.parametrize("which", DYNAMIC)
def test_dynamic_in_single_precision(which: str) -> None:
    make, plain = DYNAMIC[which]
    module = spread(make(dense(6, 8))).float()
    x, weight = torch.randn(TOKENS, 6), torch.randn(8, 6)
    ours = module(x.unsqueeze(0), weight)[0]
    torch.testing.assert_close(ours, torch.stack([plain(module, token, weight) for token in x]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("multiplies", [True, False])
def test_bilinear_is_its_equation(multiplies: bool, shape: tuple[int, int]) -> None:
    module: Any = spread(Bilinear(dense(*shape), RANK, multiplies))
    weight = torch.randn(shape[1], shape[0], dtype=torch.float64, requires_grad=True)
    plain = weight.T + module.additive.u @ module.additive.v.T
    if multiplies:
        plain = plain + (module.multiplicative.u @ module.multiplicative.v.T) * weight.T
    compare(module(weight), plain.T, {**dict(module.named_parameters()), "weight": weight})


def kronecker(factors: Any) -> Tensor:
    """The sum of Kronecker products by torch.kron, [in, out] as the paper has it."""
    parts = [torch.kron(factors.h[k].contiguous(), (factors.u[k] @ factors.v[k].T).contiguous()) for k in range(TERMS)]
    return torch.stack(parts).sum(0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("multiplies", [True, False])
def test_kronecker_is_torch_kron(multiplies: bool, shape: tuple[int, int]) -> None:
    module: Any = spread(Kronecker(dense(*shape), RANK, TERMS, multiplies))
    factors: Any = spread(KroneckerFactors(*shape, RANK, TERMS))
    torch.testing.assert_close(factors().T, kronecker(factors))
    weight = torch.randn(shape[1], shape[0], dtype=torch.float64, requires_grad=True)
    plain = weight.T + kronecker(module.additive)
    if multiplies:
        plain = plain + kronecker(module.multiplicative) * weight.T
    compare(module(weight), plain.T, {**dict(module.named_parameters()), "weight": weight})


def test_the_static_factor_is_a_softplus_that_starts_at_one() -> None:
    module: Any = Scale(dense(6, 8), RANK).double()
    weight = torch.randn(8, 6, dtype=torch.float64)
    torch.testing.assert_close(module(weight), weight, rtol=1e-12, atol=1e-12)
    spread(module)
    plain = torch.log1p(torch.exp(module.factors.u @ module.factors.v.T + ONE)) * weight.T
    torch.testing.assert_close(module(weight), plain.T)


@pytest.mark.parametrize("which", DYNAMIC)
def test_factors_learn_from_the_first_step(which: str) -> None:
    """V is zero at the start, so U and Sigma have no gradient, but V has one."""
    module: Any = DYNAMIC[which][0](dense(6, 8)).double()
    x, weight = torch.randn(TOKENS, 6).double(), torch.randn(8, 6).double()
    y = module(x.unsqueeze(0), weight)
    assert not y.abs().max()
    (y * torch.randn_like(y)).sum().backward()
    assert float(module.additive.v.grad.abs().max()) > 1e-3
    if module.multiplicative is not None:
        assert float(module.multiplicative.v.grad.abs().max()) > 1e-3


@pytest.mark.parametrize("which", DYNAMIC)
def test_second_derivatives_are_exact(which: str) -> None:
    module = spread(DYNAMIC[which][0](dense(4, 5)))
    names = [name for name, _ in module.named_parameters()]
    x, weight = torch.randn(1, 2, 4).double().requires_grad_(), torch.randn(5, 4).double().requires_grad_()

    def of(x: Tensor, weight: Tensor, *values: Tensor) -> Any:
        return functional_call(module, dict(zip(names, values, strict=True)), (x, weight))

    assert torch.autograd.gradgradcheck(of, (x, weight, *module.parameters()))


@pytest.mark.parametrize("which", DYNAMIC)
def test_several_tasks_equal_one_after_another(which: str) -> None:
    module = spread(DYNAMIC[which][0](dense(6, 8)))
    values = {name: torch.randn(4, *value.shape).double() for name, value in module.named_parameters()}
    x, weight = torch.randn(4, 2, TOKENS, 6).double(), torch.randn(8, 6).double()
    together = torch.vmap(lambda own, rows: functional_call(module, own, (rows, weight)))(values, x)
    for task in range(4):
        alone: Any = functional_call(module, {name: value[task] for name, value in values.items()}, (x[task], weight))
        torch.testing.assert_close(together[task], alone)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"decomposition": "bilinear", "sigma": "mlp"}, "sigma"),
        ({"terms": 4}, "terms"),
        ({"decomposition": "kronecker", "multiplicative": "static"}, "static"),
        ({"decomposition": "matmul", "multiplicative": "none"}, "matmul"),
        ({"rank": 0}, "rank"),
    ],
)
def test_options_without_a_meaning_are_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Tarp.model_validate(options)


@pytest.mark.parametrize("decomposition", ["dynamic", "bilinear", "kronecker", "matmul"])
def test_what_is_dumped_can_be_read_again(decomposition: str) -> None:
    tarp = Tarp.model_validate({"decomposition": decomposition, "rank": 3})
    assert Tarp.model_validate(tarp.model_dump()) == tarp


def test_kronecker_terms_must_divide_the_widths(checkpoint: Callable[..., Checkpoint]) -> None:
    backbone: Backbone = checkpoint("bert", "token-classification", 7).backbone(0)
    with pytest.raises(Unsupported, match="must divide"):
        Tarp(decomposition="kronecker", terms=5).attach(backbone)


@pytest.mark.parametrize(
    ("widths", "layers", "options", "stated"),
    [
        # GPT-2 medium, r = 4, both parts: 3.84M, 1.08% (Hou et al., 2022, state 1.0%).
        ([(1024, 3072), (1024, 1024), (1024, 4096), (4096, 1024)], 24, {"rank": 4}, 3.84e6),
        # BART-base, r = 16, additive: 5.26M, 3.8% (the paper: under 5%).
        ([(768, 768)] * 4 + [(768, 3072), (3072, 768)], 6, {"rank": 16, "multiplicative": "none"}, None),
    ],
)
def test_sizes_fit_the_papers(widths: Any, layers: int, options: dict[str, Any], stated: float | None) -> None:
    multiplies = options.get("multiplicative") != "none"
    with torch.device("meta"):

        def count(shapes: Any) -> int:
            modules = [Dynamic(dense(*shape), options["rank"], True, multiplies) for shape in shapes]
            return sum(value.numel() for module in modules for value in module.parameters())

        found = layers * count(widths)
        if stated is None:  # the decoder's layers have cross-attention besides
            found += layers * count(widths + [(768, 768)] * 4)
            stated = 5.26e6
    assert found == pytest.approx(stated, rel=0.005)
