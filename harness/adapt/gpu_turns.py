"""A GPU that the jobs of a run share: what finds no memory beside the others computes again while they wait.

Without this a cell, or a trial of a rate, would fail by what its neighbours happened to hold.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from harness.base.errors import lacks_memory, reason
from harness.base.locks import lock_if_possible
from harness.base.measure import give_back
from harness.base.progress import say

Result = TypeVar("Result")

DOOR, ROOM = ".gpu.door", ".gpu"  # files in the output's folder


def with_room(output: str, what: str, compute: Callable[[], Result]) -> Result:
    """What `compute` returns, which is called twice where a GPU has no memory for it beside the run's other jobs.

    The second time it is alone: it waits until each of them is done with the cell, trial or preparation that it is at,
    and they wait for it. Raises what `compute` raises, a lack of memory when alone too.
    """
    import torch  # here, since jobs that compute nothing do without

    if not torch.cuda.is_available():
        return compute()
    try:
        with _turn(Path(output), fcntl.LOCK_SH):
            return compute()
    except Exception as error:  # torch has no one kind for a lack of memory
        if not lacks_memory(error):
            raise
        say(f"{what}: no memory beside other jobs ({reason(error)}); it waits for the GPU alone")
    with _turn(Path(output), fcntl.LOCK_EX):
        return compute()


@contextmanager
def _turn(output: Path, how: int) -> Iterator[None]:
    """Be one of those who compute, or the only one; leave the GPU's memory for others afterwards.

    Who waits to be alone stands in the door, so that no other comes in before.
    """
    with open(output / ROOM, "a") as room:
        with open(output / DOOR, "a") as door:
            lock_if_possible(door, fcntl.LOCK_EX)
            lock_if_possible(room, how)
        try:
            yield
        finally:
            _free()


def _free() -> None:
    """Give back to the GPU what this process keeps for later."""
    import torch

    give_back()
    torch.cuda.empty_cache()
