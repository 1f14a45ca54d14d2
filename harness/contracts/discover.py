"""Folders are discovered: there is no registry to edit."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from harness.base.errors import bad, reason
from harness.base.fingerprint import fingerprint, hash_files
from harness.base.paths import own_files
from harness.base.yaml_file import read_yaml
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.folders import found_in
from harness.contracts.method import MethodSpec, Train, Tuned
from harness.contracts.model import validate
from harness.contracts.preparation import Preparation
from harness.contracts.row import row_name
from harness.contracts.task import TaskSpec

Plug = TypeVar("Plug", Adaptation, Control, Preparation)


@dataclass(frozen=True)
class Method:
    """A discovered method folder."""

    id: str
    folder: Path
    spec: MethodSpec
    tuned: dict[str, list[Tuned]]  # by task, one for each backbone
    adapt: dict[str, dict[str, Any]] = field(default_factory=dict)  # what a configuration says of its adaptations
    prepare: dict[str, Any] = field(default_factory=dict)  # what a variant is of its preparation's options

    @property
    def base(self) -> str:
        """The folder's name: of a variant, as `tarp@rank=8`, the method that it is one of."""
        return row_name(self.id).method

    @cached_property  # all that is planned of it asks for it
    def code(self) -> str:
        """The hash of the folder's Python files."""
        return hash_files(own_files(self.folder, ".py"), self.folder)


@dataclass(frozen=True)
class TaskFolder:
    """A discovered task folder."""

    id: str
    folder: Path
    spec: TaskSpec

    @cached_property  # of many domains each one's fingerprint holds it
    def code(self) -> str:
        """The hash of the folder's Python files and word lists."""
        files = [*own_files(self.folder, ".py"), *own_files(self.folder / "embedded", deep=True)]
        return hash_files(files, self.folder)


def methods(root: Path | None = None) -> dict[str, Method]:
    """Every folder under `methods/`, the included ones among them, by id."""
    found = {}
    for folder in found_in("methods", "method.yaml", root):
        spec = validate(MethodSpec, read_yaml(folder / "method.yaml"), folder / "method.yaml")
        found[folder.name] = Method(folder.name, folder, spec, _tuned(folder / "tuned.yaml"))
    return found


def _tuned(file: Path) -> dict[str, list[Tuned]]:
    """What was tuned for each task, an entry a backbone; nothing where the file is absent."""
    found: dict[str, list[Tuned]] = {}
    for task, entries in (read_yaml(file) if file.is_file() else {}).items():
        if not isinstance(entries, list):
            raise bad(file, task, entries, "write a list of entries, one for each backbone")
        found[task] = [validate(Tuned, entry, file, f"{task}.{place}") for place, entry in enumerate(entries)]
        for place, entry in enumerate(found[task]):
            validate(Train, entry.train, file, f"{task}.{place}.train")
    return found


def tasks(root: Path | None = None) -> dict[str, TaskFolder]:
    """Every folder under `tasks/`, the included ones among them, by id."""
    found = {}
    for folder in found_in("tasks", "task.yaml", root):
        spec = validate(TaskSpec, read_yaml(folder / "task.yaml"), folder / "task.yaml")
        found[folder.name] = TaskFolder(folder.name, folder, spec)
    return found


def plugs(file: Path, base: type[Plug]) -> dict[str, type[Plug]]:
    """The plug-ins of `base` that a file defines, by name; none where the file is absent."""
    return classes(load_module(file), base) if file.is_file() else {}


@cache
def load_module(file: Path) -> ModuleType:
    """Import a plug-in's Python file; raises UserError where it does not import."""
    package = f"headstart_{file.parent.parent.name}_{file.parent.name}_{fingerprint(str(file.parent.resolve()))[:8]}"
    if package not in sys.modules:  # so that a file may import from another beside it: `from .modules import Mask`
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(file.parent)]
    name = f"{package}.{file.stem}"
    if name in sys.modules:  # another file beside it has imported it
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(name, file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise bad(file, "the code", reason(error), "it does not import; mend it or remove the folder") from error
    return module


def classes(module: ModuleType, base: type[Plug]) -> dict[str, type[Plug]]:
    """Classes defined in `module`; LoRA and LowRank answer to `lora` and `low_rank`."""
    found = {}
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, base) and kind.__module__ == module.__name__:
            found[_snake(kind.__name__)] = kind
    return found


def _snake(name: str) -> str:
    if sum(letter.isupper() for letter in name) > len(name) / 2 or name == "LoRA":
        return name.lower()
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
