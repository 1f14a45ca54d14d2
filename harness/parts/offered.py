"""The plug-ins that the harness itself offers, found in the files of their floors: there is no registry to edit."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TypeVar

from harness.base.paths import PACKAGE, own_files
from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import classes
from harness.contracts.preparation import Preparation

Offered = TypeVar("Offered", Adaptation, Preparation)
ADAPTATIONS, PREPARATIONS = "adaptations", "prepare"  # the floors that are looked through


def adaptations() -> dict[str, type[Adaptation]]:
    """The harness's adaptations by name. They import torch."""
    return _offered(ADAPTATIONS, Adaptation)


def preparations() -> dict[str, type[Preparation]]:
    """The harness's preparations by name; `none` is none of them."""
    return _offered(PREPARATIONS, Preparation)


@cache  # the harness's own files: a process that has imported them sees no edit
def _offered(floor: str, base: type[Offered]) -> dict[str, type[Offered]]:
    found: dict[str, type[Offered]] = {}
    for file in own_files(PACKAGE / floor, ".py"):
        # Other files are not imported: it takes seconds. A base that refines `base` ends in its name.
        if f"{base.__name__})" in file.read_text(encoding="utf-8"):
            module = importlib.import_module(f"harness.{floor}.{file.stem}")
            found |= classes(module, base)
    return found
