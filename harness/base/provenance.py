"""Where a number comes from: commit, versions, machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness import PROTOCOL
from harness.base.arithmetic import arithmetic, vendor
from harness.base.paths import PACKAGE, project_root

PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "evaluate", "peft", "seqeval", "rouge-score", "numpy")


@cache
def provenance() -> dict[str, Any]:
    """The commit with a dirty flag, package versions, Python, processor, vendor, instructions in use, accelerator."""
    commit, dirty = _state(project_root())
    return {
        "protocol": PROTOCOL,
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "processor": platform.machine(),
        "vendor": vendor(),
        "arithmetic": arithmetic(),
        "accelerator": _accelerator(),
    }


def _state(root: Path) -> tuple[str | None, bool | None]:
    """The commit of the project in `root` and whether it was edited since; None where git does not know.

    A project without git of its own may lie inside another repository, whose commit says nothing about it; nor
    does the commit of a project say anything about a program that stands elsewhere.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve() or root.resolve() != PACKAGE.parent.resolve():
        return None, None
    commit, edits = _git(root, "rev-parse", "HEAD"), _git(root, "status", "--porcelain", "--untracked-files=no")
    return (None, None) if commit is None or edits is None else (commit, bool(edits))


def _git(root: Path, *words: str) -> str | None:
    # A hook of git sets these, for the repository that it runs in.
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")
    variables = {name: value for name, value in os.environ.items() if name not in elsewhere}
    command = ["git", "--no-optional-locks", "-C", str(root), *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False, env=variables)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout).strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _accelerator() -> str | None:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
