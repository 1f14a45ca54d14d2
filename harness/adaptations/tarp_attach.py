"""TARP's factors, put into a backbone's dense layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.adaptations.tarp_dynamic import DynamicHadamard, DynamicProduct, DynamicShift
from harness.adaptations.tarp_static import Bilinear, Kronecker, StaticScale
from harness.backbone.backbone import Backbone
from harness.backbone.places import Dense
from harness.base.errors import Unsupported

if TYPE_CHECKING:
    from harness.adaptations.tarp import Tarp

SCALE_SPREAD = math.sqrt(3)  # a variance of one


def reparameterise(tarp: Tarp, backbone: Backbone) -> None:
    """Put the factors that `tarp` asks for into its dense layers."""
    layers = backbone.dense_layers(tarp.targets or ("all" if "decoder" in backbone.anatomy.stacks else "attention"))
    if tarp.decomposition == "kronecker":
        check_widths(tarp, layers)
    for dense in layers:
        if tarp.decomposition in ("bilinear", "kronecker"):
            attach_static(tarp, dense)
        else:
            attach_dynamic(tarp, dense)


def attach_static(tarp: Tarp, dense: Dense) -> None:
    """A scale and a shift that read no token."""
    shift = factor(tarp, dense, 1 / math.sqrt(dense.in_features))
    if tarp.multiplicative == "none":
        # It reads x: r (C_in + C_out) multiplications a token, and no gradient of a whole W.
        dense.add(shift)
    else:
        # The scale takes a whole W and its gradient anyway, so the shift costs nothing a token there.
        dense.weigh(StaticScale(factor(tarp, dense, SCALE_SPREAD), shift))


def attach_dynamic(tarp: Tarp, dense: Dense) -> None:
    """A scale and a shift that the token decides."""
    sizes = dense.in_features, dense.out_features, tarp.rank
    if tarp.decomposition == "matmul":
        dense.add(DynamicProduct(*sizes, tarp.sigma), reads_weight=True)
    elif tarp.multiplicative == "dynamic":
        dense.add(DynamicHadamard(*sizes, tarp.sigma, tarp.recompute), reads_weight=True)
    else:
        if tarp.multiplicative == "static":
            dense.weigh(StaticScale(Bilinear(*sizes, SCALE_SPREAD), softplus=True))
        dense.add(DynamicShift(*sizes, tarp.sigma))


def factor(tarp: Tarp, dense: Dense, spread: float) -> Bilinear | Kronecker:
    """A static Phi, with random entries of that spread."""
    sizes = dense.in_features, dense.out_features, tarp.rank
    if tarp.decomposition == "kronecker":
        return Kronecker(*sizes, spread, tarp.kronecker_factors)
    return Bilinear(*sizes, spread)


def check_widths(tarp: Tarp, layers: list[Dense]) -> None:
    """Raise Unsupported where a layer's widths cannot be divided among the Kronecker factors."""
    n = tarp.kronecker_factors
    for dense in layers:
        if dense.in_features % n or dense.out_features % n:
            widths = f"{dense.in_features} -> {dense.out_features}"
            raise Unsupported(f"kronecker_factors is {n}, which does not divide the widths of {dense.name}, {widths}")
