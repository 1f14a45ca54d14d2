"""How many threads a process may use."""

from __future__ import annotations

import os

THREADS = "OMP_NUM_THREADS"


def threads() -> int | None:
    """The threads that OMP_NUM_THREADS allows; None where it is not set, or holds what OpenMP cannot read and ignores.

    OpenMP takes a list, a number for each level of nested parallelism: the first counts.
    """
    numbers = [part.strip() for part in os.environ.get(THREADS, "").split(",")]
    readable = all(number.isascii() and number.isdigit() and int(number) > 0 for number in numbers)
    return int(numbers[0]) if readable else None
