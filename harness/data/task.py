"""The part of the task contract that is code: reading sources and encoding examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from harness.base.errors import UserError
from harness.contracts.discover import TaskFolder, load_module
from harness.contracts.method import Kind
from harness.contracts.task import Sizes, Source, TaskSpec

Example = dict[str, Any]
Features = dict[str, list[int]]
Splits = dict[str, list[Example]]
SPLITS = ("train", "dev", "test", "unlabeled")


class Task:
    """A task's data. Subclass one of its kinds in `tasks/<id>/task.py`.

    The harness calls one of the `read_*` methods once for each domain, in the rule `data`, and `encode`
    whenever a model reads examples. An example is a mapping; its keys depend on the kind.
    """

    kind: ClassVar[Kind]

    def __init__(self, spec: TaskSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder

    def read_embedded(self, domain: str, sizes: Sizes) -> Splits:
        """The domain's splits, generated from the task's own grammars."""
        raise UserError(f"{self.folder / 'task.py'}: the task has no source 'embedded'; define read_embedded")

    def read_local(self, domain: str, folder: Path) -> Splits:
        """The domain's splits, read from `folder`; raises UserError naming a bad file and line."""
        raise UserError(f"{self.folder / 'task.py'}: the task has no source 'local'; define read_local")

    def read_hub(self, domain: str, source: Source) -> Splits:
        """The domain's splits, read from the hub at the source's pinned revision."""
        raise UserError(f"{self.folder / 'task.py'}: the task has no source 'hub'; define read_hub")

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """For each example, what a model reads of it: one mapping of token ids, or several where it is cut."""
        raise NotImplementedError(f"{type(self).__name__} must define encode")

    def text(self, example: Example) -> str:
        """The plain text of an unlabeled or labelled example, for continued pretraining."""
        raise NotImplementedError(f"{type(self).__name__} must define text")


def load_task(found: TaskFolder) -> Task:
    """The Task that a folder's task.py defines; raises UserError where it defines none or another kind."""
    file = found.folder / "task.py"
    if not file.is_file():
        raise UserError(f"{found.folder}: task.py is missing; write it, or start from `headstart new task`")
    module = load_module(file)
    classes = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Task) and kind.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise UserError(f"{file}: it defines {len(classes)} subclasses of Task; define exactly one")
    task = classes[0](found.spec, found.folder)
    if task.kind != found.spec.kind:
        raise UserError(f"{file}: its class is of kind {task.kind!r}; task.yaml says {found.spec.kind!r}")
    return task
