"""The part of the task contract that is code: reading sources and encoding examples."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from harness.base.errors import bad
from harness.contracts.discover import TaskFolder, load_module
from harness.contracts.method import Kind
from harness.contracts.task import HubSet, Sizes, TaskSpec
from harness.data.files import hub_rows

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
    sample: ClassVar[Example]  # an example to try a tokenizer and a model with, before there are data

    def __init__(self, spec: TaskSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder

    def read_embedded(self, domain: str, sizes: Sizes) -> Splits:
        """The domain's splits, generated from the task's own grammars."""
        raise bad(self.folder / "task.py", "the source", "embedded", "the task cannot read it; define read_embedded")

    def read_local(self, domain: str, folder: Path) -> Splits:
        """The domain's splits, read from `folder`; raises UserError naming a bad file and line."""
        raise bad(self.folder / "task.py", "the source", "local", "the task cannot read it; define read_local")

    def read_hub(self, domain: str, hub: HubSet) -> Splits:
        """The domain's splits, read from the hub; unlabeled text is the train split's."""
        splits: Splits = {
            split: numbered(domain, split, hub_rows(hub, name, self.from_hub)) for split, name in hub.splits.items()
        }
        return splits | {"unlabeled": splits["train"]}

    def from_hub(self, row: dict[str, Any]) -> dict[str, Any]:
        """The fields of an example from a row of the hub, whose columns have our names already."""
        raise bad(self.folder / "task.py", "the source", "hub", "the task cannot read it; define from_hub")

    @property
    def labels(self) -> list[str] | None:
        """The labels that a model needs a head for, in the order of its rows; None where the model's own serves."""
        return None

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """For each example, what a model reads of it: one mapping of token ids, or several where it is cut."""
        raise NotImplementedError(f"{type(self).__name__} must define encode")

    def text(self, example: Example) -> str:
        """The plain text of an unlabeled or labelled example, for continued pretraining."""
        raise NotImplementedError(f"{type(self).__name__} must define text")


def numbered(domain: str, split: str, rows: Iterable[dict[str, Any]]) -> list[Example]:
    """Rows with an `id` that names where each stands."""
    return [{"id": f"{domain}-{split}-{place}", **row} for place, row in enumerate(rows)]


def load_task(found: TaskFolder) -> Task:
    """The Task that a folder's task.py defines; raises UserError where it defines none or another kind."""
    file = found.folder / "task.py"
    if not file.is_file():
        raise bad(found.folder, "the folder", found.id, "it lacks task.py; write it, or run `headstart new task`")
    module = load_module(file)
    classes = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Task) and kind.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise bad(file, "the number of subclasses of Task", len(classes), "define exactly one")
    task = classes[0](found.spec, found.folder)
    if task.kind != found.spec.kind:
        mend = f"the class in task.py is {task.kind!r}; mend one of the two"
        raise bad(found.folder / "task.yaml", "kind", found.spec.kind, mend)
    return task
