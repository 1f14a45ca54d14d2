"""What TAMS's causal cells keep of earlier tokens while a text is generated with a cache of keys and values."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor

from harness.adaptations.tams_cell import INPUTS, STATES, Cell

TAPS = 5  # of the widest convolution
REACH = (len(STATES) - INPUTS) * (TAPS - 1)  # the earlier tokens that a causal cell reads: one such edge into each node


class Memory:
    """Each cell's input at the last tokens, [rows, tokens, features]; it stands and falls with the cache beside it."""

    def __init__(self) -> None:
        self.kept: dict[Cell, Tensor] = {}

    def extended(self, cell: Cell, y: Tensor) -> Tensor:
        """y of new tokens, [rows, tokens, features], behind the earlier ones that the cell reads with them."""
        whole = torch.cat((self.kept[cell], y), 1) if cell in self.kept else y
        self.kept[cell] = whole[:, -REACH:]
        return whole

    def reorder(self, beams: Tensor) -> None:
        """Go on with these rows in the place of the former ones."""
        self.kept = {cell: kept.index_select(0, beams.to(kept.device)) for cell, kept in self.kept.items()}


def memory_of(cache: Any) -> Memory:
    """The memory beside a cache; a beam search that reorders the rows of the one reorders those of the other."""
    if (found := cache.__dict__.get("tams")) is None:
        cache.tams = found = Memory()
        its, whole = found, weakref.ref(cache)  # a cache that held itself would be kept until the next collection

        def reorder(beams: Tensor) -> None:
            beside: Any = whole()
            type(beside).reorder_cache(beside, beams)
            its.reorder(beams)

        cache.reorder_cache = reorder
    memory: Memory = found
    return memory
