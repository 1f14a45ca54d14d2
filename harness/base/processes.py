"""Processes that end with another one: with that which started them, or with their run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable


def end_with_parent(last: Callable[[], object] | None = None) -> None:
    """End this process soon after the one that started it ends, even by SIGKILL; `last` is done before."""
    parent = os.getppid()
    _end_when(lambda: os.getppid() != parent, last)


def end_with(number: int, last: Callable[[], object]) -> None:
    """End this process soon after the process of that number ends, whoever started this one; `last` is done before."""
    import psutil  # knows a process that has ended and is still listed, and another with its number

    try:
        process = psutil.Process(number)
    except psutil.NoSuchProcess:
        return _end_when(lambda: True, last)
    _end_when(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, last)


def _end_when(over: Callable[[], bool], last: Callable[[], object] | None) -> None:
    def watch() -> None:
        while not over():
            time.sleep(0.5)
        try:
            if last:
                last()
        finally:  # whatever befalls the last words, as a folder that is gone
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
