"""What a preparation works with: the backbone, the task's domains, and a place to save."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.base.files import read_lines
from harness.base.seeds import derive, generator
from harness.contracts.method import Train
from harness.contracts.task import Role
from harness.data.kinds import TokenClassification
from harness.data.task import Example, Task


@dataclass
class Workshop:
    """Given to `Preparation.prepare`. `target` is the target domain where the preparation is per domain."""

    task: Task
    backbone: Path
    folders: dict[str, Path]
    roles: dict[str, Role]
    target: str | None
    seed: int
    max_length: int
    target_length: int
    saved_to: Path
    name: str
    cost: dict[str, Any] = field(default_factory=dict)

    def examples(self, domain: str, split: str) -> list[Example]:
        """A split of a domain. The test split is for scoring and is refused."""
        if split == "test":
            raise ValueError("a preparation never reads test examples")
        return read_lines(self.folders[domain] / f"{split}.jsonl")

    def domains(self, role: Role) -> list[str]:
        """The task's domains with `role`."""
        return [domain for domain, its in self.roles.items() if its == role]

    @cached_property
    def labels(self) -> int | None:
        """The number of labels, where the task has a head of its own."""
        return len(self.task.labels) if isinstance(self.task, TokenClassification) else None

    def order(self) -> Any:
        """The random generator of the order of examples."""
        return generator("preparation", self.name, self.target or "all", self.seed)

    def init(self) -> int:
        """The seed of new parameters."""
        return derive("init", self.name, self.seed)

    def train_settings(self, steps: int, batch_size: int, lr: float) -> Train:
        """A preparation's training: AdamW with linear decay."""
        return Train(steps=steps, batch_size=batch_size, lr=lr, weight_decay=0.01)

    def save(self, model: Any, tokenizer: Any, tokens: int) -> None:
        """Write the prepared checkpoint and note how many tokens were read."""
        model.save_pretrained(self.saved_to)
        tokenizer.save_pretrained(self.saved_to)
        self.cost["tokens"] = tokens
