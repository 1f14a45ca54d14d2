"""Masks over weights, as what they are: one bit a weight, a share, and a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from harness.backbone.places import Dense
from harness.base.errors import UserError

BITS = 8


def pack_bits(mask: Tensor) -> Tensor:
    """A boolean mask as bytes, [ceil(n / 8)]: the first weight is the lowest bit, zeros fill the last byte."""
    flat = functional.pad(mask.flatten().to(torch.int16), (0, -mask.numel() % BITS))
    powers = torch.tensor([1 << place for place in range(BITS)], dtype=torch.int16, device=mask.device)
    return (flat.reshape(-1, BITS) * powers).sum(1).to(torch.uint8)


def unpack_bits(packed: Tensor, shape: Sequence[int]) -> Tensor:
    """The boolean mask of `shape` that `pack_bits` made into bytes."""
    if len(packed) != -(-torch.Size(shape).numel() // BITS):
        raise UserError(
            f"a mask of {len(packed)} bytes is not one for {list(shape)} weights; load it where it was learned"
        )
    bits = packed.unsqueeze(1).bitwise_right_shift(torch.arange(BITS, dtype=torch.uint8, device=packed.device)) & 1
    return bits.flatten()[: torch.Size(shape).numel()].reshape(shape).bool()


def role_of(dense: Dense) -> str:
    """A dense layer's role, as "up"; a fused product of query, key and value goes by its first, "query"."""
    return dense.name.rsplit(".", 1)[-1]


def sparsity_report(masks: Sequence[tuple[str, Tensor]]) -> dict[str, Any]:
    """What the record says of masks, given as (role, mask): the share kept, by role too, and a hash of all bits."""
    kept: dict[str, list[int]] = {}
    digest = hashlib.sha256()
    for role, mask in masks:
        counts = kept.setdefault(role, [0, 0])
        counts[0] += int(mask.sum())
        counts[1] += mask.numel()
        digest.update(pack_bits(mask).cpu().numpy().tobytes())
    return {
        "kept_share": _share(kept),
        "kept_share_by_role": {role: _share({role: counts}) for role, counts in kept.items()},
        "mask": digest.hexdigest()[:16],
    }


def _share(counts: Mapping[str, Sequence[int]]) -> float:
    return sum(kept for kept, _ in counts.values()) / sum(total for _, total in counts.values())
