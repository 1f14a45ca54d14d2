"""What something cost: seconds and memory."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
STATUS, PEAK_FROM_NOW = Path("/proc/self/status"), Path("/proc/self/clear_refs")
SLACK = 1.0  # MiB by which the kernel's numbers may differ that it reads one after the other


@dataclass
class Cost:
    """Filled when the measured part ends. Memory in MiB; None where it cannot be known, or was not measured."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_mib: float | None = None
    peak_device_mib: float | None = None


@contextmanager
def timed() -> Iterator[Cost]:
    """Measure the seconds of what is done inside."""
    cost, wall, cpu = Cost(), time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - wall
        cost.cpu_seconds = time.process_time() - cpu


class Stopwatch:
    """Seconds since it was started, without those of what is done while it is paused."""

    def __init__(self) -> None:
        self.begin, self.aside = time.perf_counter(), Cost()

    def seconds(self) -> float:
        """How much it shows."""
        return time.perf_counter() - self.begin - self.aside.seconds

    def show(self, seconds: float) -> None:
        """Go on from what another one showed."""
        self.begin = time.perf_counter() - self.aside.seconds - seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do something that does not count."""
        with timed() as cost:
            yield
        self.aside.seconds += cost.seconds
        self.aside.cpu_seconds += cost.cpu_seconds


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the seconds of what is done inside, and the most memory that it took beside what the process had before.

    What the process held no longer, and had not given back, is given back first: else it would be used again, and
    what is done inside would seem to take less. Without GPU there is no device memory.
    """
    give_back()
    torch = sys.modules.get("torch")
    if torch is not None and not torch.cuda.is_available():
        torch = None
    on_device = 0
    if torch is not None:
        torch.cuda.reset_peak_memory_stats()
        on_device = torch.cuda.memory_allocated()
    before = _rss_forgetting_peak()
    with timed() as cost:
        try:
            yield cost
        finally:
            if torch is not None:
                torch.cuda.synchronize()
                cost.peak_device_mib = (torch.cuda.max_memory_allocated() - on_device) / MIB
            if before is not None:
                cost.peak_rss_mib = max(0.0, _of_status("VmHWM") - before)


def give_back() -> None:
    """Let go of what nothing uses any more, as the model of an earlier cell with its hooks."""
    gc.collect()
    with suppress(AttributeError, OSError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def _rss_forgetting_peak() -> float | None:
    """The process's memory, from which its high-water mark starts anew; None where the system does not let it."""
    try:
        PEAK_FROM_NOW.write_text("5")
        peak, rss = _of_status("VmHWM"), _of_status("VmRSS")
    except (OSError, IndexError):
        return None
    return rss if peak - rss <= SLACK else None


def _of_status(name: str) -> float:
    """A number of this process's status, in MiB."""
    return int(STATUS.read_text().split(f"{name}:")[1].split()[0]) / 1024
