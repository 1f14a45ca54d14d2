"""How the rate rises and falls over a training."""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.contracts.method import Train

FLAT = 10_000  # steps by which the inverse square root is stretched where nothing warms up, as transformers has it


def rate(step: int, settings: Train) -> float:
    """The share of the rate at `step`: up over the warmup, then as the schedule says.

    After the warmup these are transformers' schedules of the same names, down to zero; in it neither the first step
    nor the first after it is at another height than its neighbours would have it.
    """
    warmup = warmup_steps(settings)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return SCHEDULES[settings.schedule](step, warmup, settings)


def warmup_steps(settings: Train) -> int:
    """The steps of the warmup, where a share of the steps may be told."""
    return settings.warmup if isinstance(settings.warmup, int) else round(settings.warmup * settings.steps)


def _constant(step: int, warmup: int, settings: Train) -> float:
    return 1.0


def _linear(step: int, warmup: int, settings: Train) -> float:
    return (settings.steps - step) / (settings.steps - warmup)


def _polynomial(step: int, warmup: int, settings: Train) -> float:
    return float(_linear(step, warmup, settings) ** settings.power)


def _inverse_sqrt(step: int, warmup: int, settings: Train) -> float:
    """Vaswani et al. (2017, equation 3), 1 at the end of the warmup."""
    return math.sqrt(warmup / step) if warmup else math.sqrt(FLAT / (step + FLAT))


def _cosine(step: int, warmup: int, settings: Train) -> float:
    """Half a wave (Loshchilov and Hutter, 2017, equation 5, without restarts)."""
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / (settings.steps - warmup)))


SCHEDULES: dict[str, Callable[[int, int, Train], float]] = {
    "constant": _constant,
    "linear": _linear,
    "polynomial": _polynomial,
    "inverse_sqrt": _inverse_sqrt,
    "cosine": _cosine,
}
