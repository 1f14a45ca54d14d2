"""The kinds of task, a module each: what an example is and how a tokenizer reads it. No torch here.

A kind is the subclass of Task that its module defines; putting a module here is all that adds one to `KINDS`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from harness.contracts.method import Kind
from harness.data.task import Task

IGNORED = -100  # a label that the loss passes over
SAMPLE = "Anna lives in Rome , where she moved in 2024 ."


def _found() -> dict[Kind, type[Task]]:
    """Every kind by its name, in the order of their modules."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"harness.data.kinds.{name}") for name in names]
    return {
        its.kind: its
        for module in modules
        for its in vars(module).values()
        if isinstance(its, type) and issubclass(its, Task) and its.__module__ == module.__name__
    }


KINDS = _found()


def __getattr__(name: str) -> Any:
    """A kind by the name of its class: `from harness.data.kinds import Summarization`."""
    for kind in KINDS.values():
        if kind.__name__ == name:
            return kind
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
