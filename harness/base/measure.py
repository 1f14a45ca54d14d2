"""What something cost: seconds and peak memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass
class Cost:
    """Filled when the measured part ends. Memory in MiB; device memory is None without a GPU."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_mib: float = 0.0
    peak_device_mib: float | None = None


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the seconds and the peak memory of what is done inside."""
    cost = Cost()
    _forget_peak()
    torch = sys.modules.get("torch")
    if torch is not None and not torch.cuda.is_available():
        torch = None
    if torch is not None:
        torch.cuda.reset_peak_memory_stats()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        if torch is not None:
            torch.cuda.synchronize()
            cost.peak_device_mib = torch.cuda.max_memory_allocated() / MIB
        cost.seconds = time.perf_counter() - wall
        cost.cpu_seconds = time.process_time() - cpu
        cost.peak_rss_mib = _peak_rss()


def _forget_peak() -> None:
    """Let the kernel's high-water mark of this process start anew (Linux only)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_rss() -> float:
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / MIB if sys.platform == "darwin" else peak / 1024
