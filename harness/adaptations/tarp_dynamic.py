"""TARP's dynamic factors: Phi_j(x) = U_j Sigma(x) V_j^T, other for each token (Hou et al., 2022, equation 3).

The paper writes W as [C_in, C_out] and y = W^T x; the backbone's W is the transpose. Here U is kept as
`into` [rank, C_in] and V as `out` [C_out, rank], so that Phi's transpose is `out` Sigma^T `into`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


class Factors(nn.Module):
    """U as `into` [rank, in], uniform in +-spread, and V as `out` [out, rank], zero, so that U Sigma V^T is zero.

    Only V has a gradient at the very start, as with LoRA; U and Sigma have one from the second step on.
    """

    def __init__(self, in_features: int, out_features: int, rank: int, spread: float) -> None:
        super().__init__()
        self.into = nn.Parameter(torch.empty(rank, in_features).uniform_(-spread, spread))
        self.out = nn.Parameter(torch.zeros(out_features, rank))

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Phi(x)^T x = V Sigma(x)^T U^T x, [..., out]; x is [..., in], sigma [..., rank, rank]."""
        narrow = functional.linear(x, self.into)
        mixed = (narrow.unsqueeze(-2) @ sigma).squeeze(-2)
        return functional.linear(mixed, self.out)


class Sigma(nn.Module):
    """x [..., in] -> Sigma(x) [..., rank, rank]: C_in -> r -> r^2 with a GELU between, or one Linear C_in -> r^2.

    Neither has biases: so the parameters are as many as the paper says. GELU is our choice; the paper names
    no nonlinearity, and second-order meta-learning wants a smooth one. An entry starts with a variance of
    about 1/rank for an input whose entries have a variance of one, so Sigma(x) neither shrinks nor grows U^T x much.
    """

    def __init__(self, in_features: int, rank: int, kind: Literal["mlp", "linear"]) -> None:
        super().__init__()
        self.rank = rank
        wide = rank * rank
        self.first = nn.Parameter(torch.randn(rank if kind == "mlp" else wide, in_features) / math.sqrt(in_features))
        self.second = nn.Parameter(torch.randn(wide, rank) / rank) if kind == "mlp" else None
        if kind == "linear":
            self.first.data /= math.sqrt(rank)

    def forward(self, x: Tensor) -> Tensor:
        entries = functional.linear(x, self.first)
        if self.second is not None:
            entries = functional.linear(functional.gelu(entries), self.second)
        return entries.reshape(*x.shape[:-1], self.rank, self.rank)


class DynamicShift(nn.Module):
    """x -> Phi_2(x)^T x: the additive part alone."""

    def __init__(self, in_features: int, out_features: int, rank: int, sigma: Literal["mlp", "linear"]) -> None:
        super().__init__()
        self.sigma = Sigma(in_features, rank, sigma)
        self.shift = Factors(in_features, out_features, rank, 1 / math.sqrt(in_features))

    def forward(self, x: Tensor) -> Tensor:
        moved: Tensor = self.shift(x, self.sigma(x))
        return moved


class DynamicHadamard(DynamicShift):
    """(x, W) -> what [(1 + Phi_1(x)) * W0 + Phi_2(x)]^T x adds to W0^T x, `*` element by element.

    Both factors share one Sigma(x). With `recompute` the products with W0 are made again in the backward
    pass in the place of being kept (see `hadamard`).
    """

    def __init__(
        self, in_features: int, out_features: int, rank: int, sigma: Literal["mlp", "linear"], recompute: bool
    ) -> None:
        super().__init__(in_features, out_features, rank, sigma)
        # U_1 weighs the entries of x one by one and is not summed over them, hence a spread of its own.
        self.scale = Factors(in_features, out_features, rank, math.sqrt(3))
        self.recompute = recompute

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:  # type: ignore[override]
        sigma = self.sigma(x)
        product = Recomputed.apply if self.recompute else hadamard
        scaled: Tensor = product(x, sigma, self.scale.into, self.scale.out, weight)
        return scaled + self.shift(x, sigma)


class DynamicProduct(DynamicShift):
    """(x, W) -> what [(1 + Phi_1(x)) W0 + Phi_2(x)]^T x adds to W0^T x, with a matrix product on W0's input side.

    Phi_1 is [C_in, C_in], so the layer reads x + Phi_1(x)^T x: one product with W0 at any rank.
    """

    def __init__(self, in_features: int, out_features: int, rank: int, sigma: Literal["mlp", "linear"]) -> None:
        super().__init__(in_features, out_features, rank, sigma)
        self.scale = Factors(in_features, in_features, rank, 1 / math.sqrt(in_features))

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:  # type: ignore[override]
        sigma = self.sigma(x)
        moved: Tensor = self.shift(x, sigma)
        return functional.linear(self.scale(x, sigma), weight) + moved


def hadamard(x: Tensor, sigma: Tensor, into: Tensor, out: Tensor, weight: Tensor) -> Tensor:
    """[(U Sigma(x) V^T) * W0]^T x without a matrix a token; x [..., in] -> [..., out].

    It equals sum_b V_b * (W0^T z_b) with z_b = sum_a Sigma_ab(x) U_a * x: r products with W0, and no fewer,
    because a matrix scaled by one of rank r has no smaller form. With t tokens the multiplications are
    t r C_in C_out for the products, made as one product over t r rows so that W0 is read once;
    t r^2 C_in for Sigma, which is contracted first, so that what follows has r terms and not r^2; and
    t r (C_in + C_out) for the two scalings.

    Folding V into W0 (r C_in C_out multiplications once) saves no product, and its r copies of W0 make a step
    slower up to at least 256 tokens; a loop over the ranks is no faster.

    Kept for the backward pass: t r (C_in + C_out) numbers, and t r C_in more where W0 trains.
    `Recomputed` keeps none of them and makes the r products once more: 3 r in a step in the place of 2 r.
    """
    rows = x.unsqueeze(-2) * (sigma.mT @ into)
    return (functional.linear(rows, weight) * out.T).sum(-2)


class Recomputed(torch.autograd.Function):
    """`hadamard`, keeping only its inputs. The backward pass is made of differentiable operations.

    torch.utils.checkpoint does not work inside torch.func's transforms; this does.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, sigma: Tensor, into: Tensor, out: Tensor, weight: Tensor) -> Tensor:
        return hadamard(x, sigma, into, out, weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, needed = ctx.saved_tensors, ctx.needs_input_grad
        places = [place for place, need in enumerate(needed) if need]

        def again(*chosen: Tensor) -> Tensor:
            given = dict(zip(places, chosen, strict=True))
            return hadamard(*(given.get(place, value) for place, value in enumerate(inputs)))

        pull = torch.func.vjp(again, *(inputs[place] for place in places))[1]
        pulled = dict(zip(places, pull(gradient), strict=True))
        return tuple(pulled.get(place) for place in range(len(inputs)))
