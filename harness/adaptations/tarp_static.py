"""TARP's static factors: Phi_j is the same for every token (Hou et al., 2022, section 2.1).

The paper's Phi is [C_in, C_out]; `matrix()` gives its transpose, [C_out, C_in], as the backbone holds W.
Every Phi starts at zero with only V zero, so that V has a gradient at the start and the others follow.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SOFTPLUS_OF_ONE = math.log(math.e - 1)  # softplus of it is one


class Bilinear(nn.Module):
    """Phi = U V^T, with U as `into` [rank, in] uniform in +-spread and V as `out` [out, rank] zero."""

    def __init__(self, in_features: int, out_features: int, rank: int, spread: float) -> None:
        super().__init__()
        self.into = nn.Parameter(torch.empty(rank, in_features).uniform_(-spread, spread))
        self.out = nn.Parameter(torch.zeros(out_features, rank))

    def matrix(self) -> Tensor:
        """Phi's transpose, [out, in]."""
        return self.out @ self.into

    def forward(self, x: Tensor) -> Tensor:
        """Phi^T x, [..., out]."""
        return functional.linear(functional.linear(x, self.into), self.out)


class Kronecker(nn.Module):
    """Phi = sum over k of H_k (x) (U_k V_k^T), with n terms and H_k [n, n].

    H is `mix` [n, n, n] (term, block of inputs, block of outputs), U is `into` [n, rank, in/n] and V is
    `out` [n, out/n, rank].
    """

    def __init__(self, in_features: int, out_features: int, rank: int, spread: float, n: int) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.randn(n, n, n) / math.sqrt(n))
        self.into = nn.Parameter(torch.empty(n, rank, in_features // n).uniform_(-spread, spread))
        self.out = nn.Parameter(torch.zeros(n, out_features // n, rank))

    def matrix(self) -> Tensor:
        """Phi's transpose, [out, in]."""
        blocks = torch.einsum("kpq,koi->qopi", self.mix, self.out @ self.into)
        return blocks.flatten(2).flatten(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Phi^T x, [..., out], without Phi: n r (C_in + C_out) + n^3 r multiplications a token."""
        n, rank, width = self.into.shape
        blocks = x.reshape(*x.shape[:-1], n, width)
        narrow = functional.linear(blocks, self.into.flatten(0, 1)).reshape(*x.shape[:-1], n, n, rank)
        mixed = torch.einsum("...pkr,kpq->...qkr", narrow, self.mix)
        return torch.einsum("...qkr,kor->...qo", mixed, self.out).flatten(-2)


class StaticScale(nn.Module):
    """W0 -> (1 + Phi_1) * W0 + Phi_2, or softplus(Phi_1 + log(e - 1)) * W0 with `softplus`; W0 at the start.

    The weight is made once a pass: about r C_in C_out multiplications a factor more than the t C_in C_out that t
    tokens cost anyway, where scaling x would take r products with W0, t r C_in C_out. From the second token on
    making the weight is cheaper.
    """

    def __init__(
        self, factor: Bilinear | Kronecker, shift: Bilinear | Kronecker | None = None, softplus: bool = False
    ) -> None:
        super().__init__()
        self.factor = factor
        self.shift = shift
        self.softplus = softplus

    def forward(self, weight: Tensor) -> Tensor:
        phi = self.factor.matrix()
        scaled = weight * (functional.softplus(phi + SOFTPLUS_OF_ONE) if self.softplus else 1 + phi)
        return scaled if self.shift is None else scaled + self.shift.matrix()
