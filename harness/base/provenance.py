"""Where a number comes from: commit, versions, machine."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness import PROTOCOL

PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "evaluate", "peft", "seqeval", "rouge-score", "numpy")


@cache
def provenance() -> dict[str, Any]:
    """The commit with a dirty flag, package versions, Python, processor and accelerator."""
    return {
        "protocol": PROTOCOL,
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "processor": platform.machine(),
        "accelerator": _accelerator(),
    }


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _accelerator() -> str | None:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
