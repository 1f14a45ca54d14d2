"""Tasks of YAML alone for tests of readers, and the files that they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.contracts.model import validate
from harness.contracts.task import TaskSpec
from harness.data.kinds import KINDS
from harness.data.task import Example, Splits, Task

METRICS = {
    "token-classification": "f1", "causal-lm": "perplexity", "summarization": "rouge1",
    "sequence-classification": "accuracy", "dialogue": "perplexity",
    "data-to-text": "bleu",
}  # fmt: skip
FILES = {"train": "train", "dev": "dev", "test": "test"}
NER, LM, SUMMARIES, LABELS, DIALOGUE, RECORDS = METRICS


def local_task(folder: Path, kind: str, reader: dict[str, Any], **changes: Any) -> Task:
    """A task of `kind` that reads `folder`/<domain>; its own folder is `folder`/task."""
    content = {
        "label": "a", "summary": "a", "kind": kind, "metric": METRICS[kind],
        "direction": "min" if kind in (LM, DIALOGUE) else "max", "version": 1, "citation": "a", "licence": "a",
        "max_length": 16, "backbone": "b", "budgets": [1], "types": ["PER", "LOC"] if kind == NER else None,
        "sources": {"local": {"folder": "a", "domains": {"d": "meta_test"}, "reader": {"files": FILES} | reader}},
    } | changes  # fmt: skip
    task = KINDS[kind](validate(TaskSpec, content, "task.yaml"), folder / "task")  # type: ignore[index]
    task.check()
    return task


def read_files(task: Task, folder: Path, content: bytes | str, names: tuple[str, ...] = tuple(FILES)) -> Splits:
    """What the task reads where each of its files holds `content`."""
    for name in names:
        place = folder / "d" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return task.read_local("d", folder)


def first(splits: Splits) -> Example:
    """The first training example, less its id."""
    return {name: value for name, value in splits["train"][0].items() if name != "id"}
