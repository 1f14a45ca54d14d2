"""One order of additions whatever an x86 processor offers: the libraries below torch compute as with AVX2 and no more.

They choose their code by what the processor offers, and each code rounds in an order of its own: the last digits of
training differ, and with them some scores and ties. MKL goes by the vendor too (docs/footguns.md).
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

# ATen computes elements and sums, oneDNN some functions, MKL products of matrices and some functions. Each reads its
# variable when it first computes. On AMD's processors MKL has one code for all that have AVX2, whatever is said.
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}
OWN = "HEADSTART_OWN_ARITHMETIC"  # where it is set, the libraries choose by the processor and their own variables
PROCESSORS = Path("/proc/cpuinfo")


def pin(variables: MutableMapping[str, str] = os.environ, processors: Path = PROCESSORS) -> None:
    """Set the variables of libraries that have not computed yet, where the processor has AVX2 and OWN is not set."""
    if not variables.get(OWN) and {"avx2", "fma"} <= set(_told(processors, "flags")):  # their code has both
        variables.update(AVX2)


def arithmetic() -> str:
    """The instruction set that this process computes with, for its records."""
    pinned = all(os.environ.get(name) == value for name, value in AVX2.items())
    return "AVX2" if pinned else "the processor's own"


def vendor(processors: Path = PROCESSORS) -> str | None:
    """Who made the processor, as it says itself ("AuthenticAMD"); None where the system does not tell."""
    return next(iter(_told(processors, "vendor_id")), None)


def _told(processors: Path, of: str) -> list[str]:
    """The words that the system has of its first processor on a line; none where it has no such line or file."""
    with suppress(OSError), processors.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            name, _, words = line.partition(":")
            if name.strip() == of:
                return words.split()
    return []
