"""How long and how much memory something may take, told as an error that it can be recorded with."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TookTooLong(Exception):
    """It took longer than the configuration allows."""


@contextmanager
def limits(minutes: float | None, gib: float | None) -> Iterator[None]:
    """Turn too long into TookTooLong and too much memory into a refused allocation."""

    def ring(_: int, __: FrameType | None) -> None:
        raise TookTooLong(f"the cell took longer than {minutes} minutes")

    before = resource.getrlimit(resource.RLIMIT_DATA)
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        # Without a limit the kernel would kill the whole job for one greedy cell or preparation.
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        wanted = machine if gib is None else int(gib * 2**30)
        # What the system allows already, as `ulimit -d` says, may be less, and cannot be raised.
        allowed = [limit for limit in (wanted, *before) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_DATA, (min(allowed), before[1]))
    if minutes is not None:
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, minutes * 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, before)
