"""Floating point operations of a training, from its first step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker


class Total(FlopCounterMode):
    """Torch's counter of matrix products, without telling which module made them.

    To tell, torch hooks into what each module is given, and that fails inside torch.autograd.grad, as the inner loop
    has it, where a module is given a parameter of another.
    """

    def __init__(self) -> None:
        super().__init__(display=False)
        self.mod_tracker = _NoModules()


class _NoModules(ModuleTracker):
    """Every product is of the whole alone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Flops:
    """Counts the matrix products of the first step; the rest cost as much a token.

    Counting slows a step several times, so the other steps go without. An estimate where steps differ in how
    many tokens a sentence has: attention grows faster than the number of tokens.
    """

    def __init__(self) -> None:
        self.counted = self.tokens = 0

    @contextmanager
    def step(self, tokens: int) -> Iterator[None]:
        """Count what is done inside if it is the first, a step that reads `tokens`."""
        if self.tokens:
            yield
            return
        with Total() as counter:
            yield
        self.counted, self.tokens = counter.get_total_flops(), tokens

    def of(self, tokens: int) -> int | None:
        """The operations of a training that read `tokens` in all; None where no step was counted."""
        return round(self.counted / self.tokens * tokens) if self.tokens else None
