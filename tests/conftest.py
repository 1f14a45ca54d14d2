"""What all tests share: no network, one thread, and tiny checkpoints that are written once a session."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What tests make lies on the CPU, and so do the digits of their oracles: tests/e2e/test_gpu.py alone asks for a GPU.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

if TYPE_CHECKING:
    from harness.backbone.load import Checkpoint

# Torch takes seconds to import, and numpy reads the threads above: the fixtures that need them import them.


def pytest_collection_finish() -> None:
    """Let the collector of garbage forget what stands by now, which never goes, as the run's server does.

    Each cell collects before its memory is measured; to walk over all that torch is takes longer than a tiny cell.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in the current folder."""
    from tests.project import copy_project

    copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def local_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in the current folder, whose backbone is a checkpoint that stands there."""
    from tests.project import copy_local_project

    copy_local_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A tiny checkpoint directory of an architecture, if asked for with dropout."""
    import torch

    from tests.models import write_checkpoint

    torch.set_num_threads(1)
    parent = tmp_path_factory.mktemp("checkpoints")

    @cache
    def written(architecture: str, dropout: float = 0.0) -> Path:
        return write_checkpoint(parent / f"{architecture}-{dropout}", architecture, dropout=dropout)

    return written


@pytest.fixture(scope="session")
def checkpoint(checkpoint_folder: Callable[..., Path]) -> Callable[..., Checkpoint]:
    """A tiny checkpoint, read for a kind of task; its `backbone(seed)` is a fresh copy.

    Where only the size of the head matters, `labels` may be their number.
    """
    from harness.backbone.load import Checkpoint

    @cache
    def read(
        architecture: str, kind: Any, labels: int | tuple[str, ...] | None = None, dropout: float = 0.0
    ) -> Checkpoint:
        names = tuple(f"label {place}" for place in range(labels)) if isinstance(labels, int) else labels
        return Checkpoint(checkpoint_folder(architecture, dropout), kind, names)

    return read
