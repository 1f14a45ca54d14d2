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


def mixed(narrow: Tensor, sigma: Tensor) -> Tensor:
    """Sigma^T n for each token, [..., r], of n [..., r] and Sigma [..., r, r]; so small a product is best a sum."""
    return (narrow.unsqueeze(-1) * sigma).sum(-2)


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

    def forward(self, x: Tensor, into: Tensor) -> tuple[Tensor, Tensor]:
        """Sigma(x), and U^T x [..., narrow] for U as `into` [narrow, in].

        One product gives both: such narrow ones take the time to read x, and once is enough.
        """
        sizes = [self.first.shape[0], into.shape[0]]
        entries, narrow = torch.split(functional.linear(x, torch.cat((self.first, into))), sizes, -1)
        if self.second is not None:
            entries = functional.linear(functional.gelu(entries), self.second)
        return entries.reshape(*x.shape[:-1], self.rank, self.rank), narrow


class DynamicShift(nn.Module):
    """x -> Phi_2(x)^T x: the additive part alone."""

    def __init__(self, in_features: int, out_features: int, rank: int, sigma: Literal["mlp", "linear"]) -> None:
        super().__init__()
        self.sigma = Sigma(in_features, rank, sigma)
        self.shift = Factors(in_features, out_features, rank, 1 / math.sqrt(in_features))

    def forward(self, x: Tensor) -> Tensor:
        sigma, narrow = self.sigma(x, self.shift.into)
        return functional.linear(mixed(narrow, sigma), self.shift.out)


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
        sigma, narrow = self.sigma(x, self.shift.into)
        product = Recomputed.apply if self.recompute else hadamard
        scaled: Tensor = product(x, sigma, self.scale.into, self.scale.out, weight)
        return scaled + functional.linear(mixed(narrow, sigma), self.shift.out)


class DynamicProduct(DynamicShift):
    """(x, W) -> what [(1 + Phi_1(x)) W0 + Phi_2(x)]^T x adds to W0^T x, with a matrix product on W0's input side.

    Phi_1 is [C_in, C_in]. W0^T V_1 is the same for all tokens, r C_in C_out multiplications a pass, so that a
    token takes no product with W0 beyond the layer's own.
    """

    def __init__(self, in_features: int, out_features: int, rank: int, sigma: Literal["mlp", "linear"]) -> None:
        super().__init__(in_features, out_features, rank, sigma)
        self.scale = Factors(in_features, in_features, rank, 1 / math.sqrt(in_features))

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:  # type: ignore[override]
        sigma, narrow = self.sigma(x, torch.cat((self.scale.into, self.shift.into)))
        both = (narrow.unflatten(-1, (2, self.sigma.rank)) @ sigma).flatten(-2)
        return functional.linear(both, torch.cat((weight @ self.scale.out, self.shift.out), 1))


def hadamard(x: Tensor, sigma: Tensor, into: Tensor, out: Tensor, weight: Tensor) -> Tensor:
    """[(U Sigma(x) V^T) * W0]^T x without a matrix a token; x [..., in] -> [..., out].

    With U_a and V_b the columns it equals sum_b V_b * W0^T (x * sum_a Sigma_ab U_a): r products with W0, and no
    fewer, because Sigma(x) may be any r x r matrix. For t tokens the multiplications are

    - t r C_in C_out for the products. All are one product over t r rows, so that W0 is read once. Measured on a CPU
      with 64 and 256 tokens, a loop over the ranks takes about as long or longer, and folding V into W0, which
      makes r copies of W0, takes longer by a third and more.
    - t r^2 min(C_in, C_out) for Sigma, which goes to the narrower side of W0.
    - t r (C_in + C_out) for scaling by U and V.

    Kept for the backward pass are t r (C_in + C_out) numbers, or 2 t r C_out where that is fewer, and t r C_in more
    where W0 trains. `Recomputed` keeps none of them for r products more: 3 r in a step, not 2 r.
    """
    if weight.shape[1] <= weight.shape[0]:
        rows = x.unsqueeze(-2) * (sigma.mT @ into)
        return (functional.linear(rows, weight) * out.T).sum(-2)
    rows = x.unsqueeze(-2) * into
    return (functional.linear(rows, weight) * (sigma @ out.T)).sum(-2)


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
