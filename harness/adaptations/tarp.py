"""TARP: a low-rank reparameterization of dense layers, dynamic or static (Hou et al., 2022, section 2.1).

Equation 1, W = Phi1 (.) W0 + Phi2 with (.) the Hadamard product; here W0 is [out, in], the transpose of the
paper's. Phi1 starts at one and Phi2 at zero, because V, the factor on the output's side, starts at zero.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from harness.backbone.backbone import Backbone, Dense, Targets
from harness.base.errors import Unsupported
from harness.contracts.adaptation import Adaptation

ONE = math.log(math.e - 1.0)  # softplus of it is one


class Factors(nn.Module):
    """U [in, r], random, and V [out, r], zero: the low-rank matrix V U^T starts at nothing."""

    def __init__(self, in_features: int, out_features: int, rank: int) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.randn(in_features, rank) / math.sqrt(in_features))
        self.v = nn.Parameter(torch.zeros(out_features, rank))


class Sigma(nn.Module):
    """x [tokens, in] -> Sigma(x) [r, r, tokens] (equation 3): in -> r -> r^2 with GELU between, or one linear map.

    There are no biases, and both parts of equation 1 share it, which is what fits the paper's stated sizes.
    The tokens' axis is the last wherever the others are as narrow as the rank: a CPU's products are several
    times slower the other way round.
    """

    def __init__(self, in_features: int, rank: int, hidden: bool) -> None:
        super().__init__()
        self.rank = rank
        width = rank if hidden else in_features
        self.down = nn.Parameter(torch.randn(rank, in_features) / math.sqrt(in_features)) if hidden else None
        self.up = nn.Parameter(torch.randn(rank * rank, width) / math.sqrt(width))

    def forward(self, x: Tensor) -> Tensor:
        inner = x.T if self.down is None else functional.gelu(self.down @ x.T)
        return (self.up @ inner).reshape(self.rank, self.rank, -1)


class Dynamic(nn.Module):
    """x, W0 -> [(Phi1(x) - 1) (.) W0 + Phi2(x)] x with Phi_j(x) = V_j Sigma(x)^T U_j^T (equations 1 and 3).

    Phi1(x) differs from token to token and is never built. With U_a and V_b the columns,

        [(V Sigma^T U^T) (.) W0] x = sum_b V_b (.) W0 (x (.) sum_a Sigma_ab U_a),

    r products with W0 a token, r in out multiplications. They are needed: Sigma(x) is any r x r matrix, so
    the r vectors W0 (U_a (.) x) enter each with weights of its own. What is free is where Sigma comes in, for
    r^2 in multiplications before W0 or r^2 out behind it; the narrower side is taken.
    """

    def __init__(self, dense: Dense, rank: int, hidden: bool, multiplies: bool) -> None:
        super().__init__()
        shape = dense.in_features, dense.out_features
        self.sigma = Sigma(dense.in_features, rank, hidden)
        self.additive = Factors(*shape, rank)
        self.multiplicative = Factors(*shape, rank) if multiplies else None

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        rows = x.flatten(0, -2)
        sigma = self.sigma(rows)
        y = _added(rows, sigma, self.additive.u, self.additive.v)
        if self.multiplicative is not None:
            y = y + self._multiplied(rows, weight, sigma, self.multiplicative)
        return y.reshape(*x.shape[:-1], -1)

    def _multiplied(self, rows: Tensor, weight: Tensor, sigma: Tensor, factors: Factors) -> Tensor:
        if weight.shape[1] <= weight.shape[0]:
            scaled = rows * (sigma.permute(1, 2, 0) @ factors.u.T)  # [r, tokens, in]
            return (functional.linear(scaled, weight) * factors.v.T.unsqueeze(1)).sum(0)
        scaled = rows * factors.u.T.unsqueeze(1)
        return (functional.linear(scaled, weight) * (sigma.transpose(1, 2) @ factors.v.T)).sum(0)


def _added(rows: Tensor, sigma: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """V Sigma(x)^T U^T x for each row x: [tokens, in] -> [tokens, out]."""
    inner = ((u.T @ rows.T).unsqueeze(1) * sigma).sum(0)
    return inner.T @ v.T


class DynamicProduct(nn.Module):
    """x, W0 -> [(Phi1(x) - I) W0 + Phi2(x)] x: equation 1 with a matrix product, on the output's side.

    Phi1(x) = I + V Sigma(x)^T U^T with U [out, r]; U^T W0 is the same for all tokens and costs r in out a pass.
    """

    def __init__(self, dense: Dense, rank: int, hidden: bool) -> None:
        super().__init__()
        self.sigma = Sigma(dense.in_features, rank, hidden)
        self.additive = Factors(dense.in_features, dense.out_features, rank)
        self.multiplicative = Factors(dense.out_features, dense.out_features, rank)

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        rows = x.flatten(0, -2)
        sigma = self.sigma(rows)
        added = _added(rows, sigma, self.additive.u, self.additive.v)
        multiplied = _added(rows, sigma, weight.T @ self.multiplicative.u, self.multiplicative.v)
        return (added + multiplied).reshape(*x.shape[:-1], -1)


class Scale(nn.Module):
    """W0 -> softplus(V U^T + c) (.) W0, which is W0 at the start: the static factor of the released NLG code."""

    def __init__(self, dense: Dense, rank: int) -> None:
        super().__init__()
        self.factors = Factors(dense.in_features, dense.out_features, rank)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * functional.softplus(self.factors.v @ self.factors.u.T + ONE)


class Bilinear(nn.Module):
    """W0 -> (1 + V1 U1^T) (.) W0 + V2 U2^T, built once a pass for all tokens."""

    def __init__(self, dense: Dense, rank: int, multiplies: bool) -> None:
        super().__init__()
        shape = dense.in_features, dense.out_features
        self.additive = Factors(*shape, rank)
        self.multiplicative = Factors(*shape, rank) if multiplies else None

    def forward(self, weight: Tensor) -> Tensor:
        added = self.additive.v @ self.additive.u.T
        if self.multiplicative is None:
            return weight + added
        return weight + (self.multiplicative.v @ self.multiplicative.u.T) * weight + added


class KroneckerFactors(nn.Module):
    """sum_k H_k^T (x) (V_k U_k^T), [out, in], over n terms: H_k [n, n], U_k [in / n, r], V_k [out / n, r], zero."""

    def __init__(self, in_features: int, out_features: int, rank: int, terms: int) -> None:
        super().__init__()
        self.h = nn.Parameter(torch.randn(terms, terms, terms) / terms)
        self.u = nn.Parameter(torch.randn(terms, in_features // terms, rank) / math.sqrt(in_features // terms))
        self.v = nn.Parameter(torch.zeros(terms, out_features // terms, rank))

    def forward(self) -> Tensor:
        whole = torch.einsum("kab,koi->boai", self.h, self.v @ self.u.mT)
        return whole.flatten(2, 3).flatten(0, 1)


class Kronecker(nn.Module):
    """W0 -> (1 + K1) (.) W0 + K2 with K_j sums of Kronecker products, built once a pass for all tokens."""

    def __init__(self, dense: Dense, rank: int, terms: int, multiplies: bool) -> None:
        super().__init__()
        size = dense.in_features, dense.out_features, rank, terms
        self.additive = KroneckerFactors(*size)
        self.multiplicative = KroneckerFactors(*size) if multiplies else None

    def forward(self, weight: Tensor) -> Tensor:
        changed = weight + self.additive()
        return changed if self.multiplicative is None else changed + self.multiplicative() * weight


class Tarp(Adaptation):
    """Equation 1 with its factors `dynamic` (equation 3), `bilinear`, `kronecker`, or a `matmul` in Hadamard's place.

    `multiplicative`: Phi1 as the decomposition has it; `static`, a softplus of low rank beside a dynamic Phi2;
    or `none`, the additive part alone. `sigma`: a bottleneck MLP, or one linear map as in the released code.
    """

    sized_by: ClassVar[str | None] = "rank"

    rank: int = Field(4, ge=1)
    decomposition: Literal["dynamic", "bilinear", "kronecker", "matmul"] = "dynamic"
    sigma: Literal["mlp", "linear"] = "mlp"
    multiplicative: Literal["dynamic", "static", "none"] = "dynamic"
    terms: int = Field(4, ge=1, description="Kronecker products in a sum, and the side of each H")
    targets: Targets = "all"

    @model_validator(mode="after")
    def _meaningful(self) -> Tarp:
        """Refuse what would be passed over without a word."""
        given = self.model_fields_set
        if "sigma" in given and self.decomposition in ("bilinear", "kronecker"):
            raise ValueError(f"sigma has no meaning in a {self.decomposition} decomposition; remove it")
        if "terms" in given and self.decomposition != "kronecker":
            raise ValueError(f"terms has no meaning in a {self.decomposition} decomposition; remove it")
        if self.multiplicative == "static" and self.decomposition != "dynamic":
            raise ValueError("multiplicative: static stands beside a dynamic decomposition alone; remove it")
        if self.multiplicative != "dynamic" and self.decomposition == "matmul":
            raise ValueError("a matmul decomposition without its product is the dynamic one; use that")
        return self

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Only the options that have a meaning, so that what is dumped can be read again."""
        left_out = {"dynamic": {"terms"}, "matmul": {"terms"}, "bilinear": {"terms", "sigma"}, "kronecker": {"sigma"}}
        return super().model_dump(**{"exclude": left_out[self.decomposition], **options})

    def attach(self, backbone: Backbone) -> None:
        for dense in backbone.dense_layers(self.targets):
            self._attach(dense)

    def _attach(self, dense: Dense) -> None:
        multiplies, hidden = self.multiplicative != "none", self.sigma == "mlp"
        if self.decomposition == "bilinear":
            dense.weigh(Bilinear(dense, self.rank, multiplies))
        elif self.decomposition == "kronecker":
            if dense.in_features % self.terms or dense.out_features % self.terms:
                widths = f"{dense.in_features} to {dense.out_features}"
                raise Unsupported(f"layer {dense.name}: terms is {self.terms} and must divide its widths, {widths}")
            dense.weigh(Kronecker(dense, self.rank, self.terms, multiplies))
        elif self.decomposition == "matmul":
            dense.add(DynamicProduct(dense, self.rank, hidden), reads_weight=True)
        elif self.multiplicative == "static":
            dense.weigh(Scale(dense, self.rank))
            dense.add(Dynamic(dense, self.rank, hidden, multiplies=False), reads_weight=True)
        else:
            dense.add(Dynamic(dense, self.rank, hidden, multiplies), reads_weight=True)
