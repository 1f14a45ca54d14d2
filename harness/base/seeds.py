"""Seeds by named axes, so that changing one thing leaves all other draws as they were."""

from __future__ import annotations

import hashlib
import random


def derive(axis: str, *names: object) -> int:
    """A 63-bit seed for `axis` (split, order, init, preparation, ...) and what it is for."""
    text = "\x1f".join([axis, *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(axis: str, *names: object) -> random.Random:
    """A Python random generator seeded by `derive`."""
    return random.Random(derive(axis, *names))
