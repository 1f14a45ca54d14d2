"""The tasks that `headstart new task` writes, one a kind, beside those of the repository."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.cli.new import copy_template, kinds, template_of
from harness.contracts.discover import TaskFolder, tasks

ROOT = TemporaryDirectory(prefix="headstart-templates-")  # it goes with the process


@cache
def template_tasks() -> dict[str, TaskFolder]:
    """A new task of each kind, by its name `new_<kind>`."""
    for kind in kinds():
        copy_template(template_of("task", kind), Path(ROOT.name) / "tasks" / f"new_{kind.replace('-', '_')}")
    return tasks(Path(ROOT.name))
