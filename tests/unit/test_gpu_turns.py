"""Jobs that share a GPU: which of them wait for which, and what is computed twice."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from harness.adapt.gpu_turns import DOOR, with_room
from harness.base.errors import lacks_memory

FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
LONG = 10.0  # seconds after which a wait has failed
SHORT = 0.3  # seconds in which what must not happen would have


@pytest.fixture(autouse=True)
def _gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)


class Job(threading.Thread):
    """A job that computes until it is let go; at first without room, where it is so told."""

    def __init__(self, output: Path, lacks: bool = False) -> None:
        super().__init__(daemon=True)
        self.output, self.lacks, self.tries = str(output), lacks, 0
        self.computes, self.let_go = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with_room(self.output, "job", self.compute)

    def compute(self) -> None:
        self.tries += 1
        if self.lacks and self.tries == 1:
            raise FULL
        self.computes.set()
        assert self.let_go.wait(LONG)

    def end(self) -> None:
        self.let_go.set()
        self.join(LONG)
        assert not self.is_alive()


def stands_in_door(output: Path) -> bool:
    """Whether a job waits to be alone."""
    with open(output / DOOR, "a") as door:
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def until(holds: Callable[[], bool]) -> None:
    """Wait for something, not forever."""
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_jobs_that_have_room_compute_together(tmp_path: Path) -> None:
    jobs = [Job(tmp_path) for _ in range(3)]
    assert all(job.computes.wait(LONG) for job in jobs)
    for job in jobs:
        job.end()
    assert [job.tries for job in jobs] == [1, 1, 1]


def test_one_without_room_computes_again_alone(tmp_path: Path) -> None:
    """It waits for those at work, and those who come later wait for it."""
    first = Job(tmp_path)
    assert first.computes.wait(LONG)
    greedy = Job(tmp_path, lacks=True)
    until(lambda: greedy.tries == 1 and stands_in_door(tmp_path))
    assert not greedy.computes.is_set()
    later = Job(tmp_path)
    assert not later.computes.wait(SHORT)
    first.end()
    assert greedy.computes.wait(LONG)
    assert greedy.tries == 2
    assert not later.computes.wait(SHORT)
    greedy.end()
    assert later.computes.wait(LONG)
    later.end()


def test_two_without_room_compute_one_after_the_other(tmp_path: Path) -> None:
    jobs = [Job(tmp_path, lacks=True) for _ in range(2)]
    until(lambda: any(job.computes.is_set() for job in jobs))
    one, two = sorted(jobs, key=lambda job: not job.computes.is_set())
    assert not two.computes.wait(SHORT)
    one.end()
    assert two.computes.wait(LONG)
    two.end()


def test_what_lacks_memory_when_alone_fails_and_what_fails_otherwise_does_so_at_once(tmp_path: Path) -> None:
    tries = []

    def fail(error: Exception) -> None:
        tries.append(error)
        raise error

    with pytest.raises(torch.OutOfMemoryError):
        with_room(str(tmp_path), "cell", lambda: fail(FULL))
    assert len(tries) == 2
    with pytest.raises(ValueError, match="a method's own"):
        with_room(str(tmp_path), "cell", lambda: fail(ValueError("a method's own")))
    assert len(tries) == 3


def test_without_a_gpu_nothing_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    tries = []

    def fail() -> None:
        tries.append(1)
        raise FULL

    with pytest.raises(torch.OutOfMemoryError):
        with_room(str(tmp_path / "none"), "cell", fail)
    assert len(tries) == 1
    assert not (tmp_path / "none").exists()


def test_what_says_that_memory_lacks() -> None:
    """The first two were met on a GPU that sixteen jobs shared."""
    assert lacks_memory(FULL)
    assert lacks_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert lacks_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    assert lacks_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 10 bytes"))
    assert not lacks_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
