"""What the cells of a block share, and the cells of controls. No torch here: controls go without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.files import read_lines
from harness.base.measure import measured
from harness.contracts.adaptation import Adaptation, Control, TokenControl
from harness.contracts.config import Precision
from harness.contracts.method import Train
from harness.data.splits import few
from harness.data.task import Example, Features, Task

if TYPE_CHECKING:
    from harness.backbone.load import Checkpoint
    from harness.backbone.matching import Match
    from harness.learn.kept import Shelf


@dataclass(frozen=True)
class Encoded:
    """Examples, and the windows that a checkpoint's tokenizer makes of each."""

    examples: list[Example]
    features: list[list[Features]]


@dataclass
class Bench:
    """What the cells of a block share: the task, its domains, and checkpoints that were read once."""

    task: Task
    folders: dict[str, str]
    adaptations: list[Adaptation] | list[Control]
    train: Train
    max_length: int
    target_length: int
    test_examples: int | None
    match_parameters: float | None = None  # the share of the backbone that shall train
    precision: Precision = "float32"  # in which frozen dense layers multiply
    points: Sequence[int] = ()  # of the training, at which the test split is predicted too
    match: Match | None = None  # the adaptations at that share, once they are solved for the block
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    splits: dict[tuple[str, str], list[Example]] = field(default_factory=dict)
    asked: dict[str, Encoded] = field(default_factory=dict)  # the test splits, for the checkpoint
    shelf: Shelf | None = None  # where cells differ in their rates alone

    def split(self, domain: str, split: str) -> list[Example]:
        """A split of a domain; the test split cut to the number of examples that are scored."""
        if (domain, split) not in self.splits:
            examples = read_lines(Path(self.folders[domain]) / f"{split}.jsonl")
            self.splits[domain, split] = examples[: self.test_examples] if split == "test" else examples
        return self.splits[domain, split]

    def checkpoint(self, folder: str, task: Task) -> Checkpoint:
        """A checkpoint with the head of a domain's task, read once; only the newest stays in memory.

        Cells come ordered by checkpoint and domain within a seed.
        """
        found = self.checkpoints.get(folder)
        if found is None or found.labels != task.labels:
            from harness.backbone.load import Checkpoint

            self.checkpoints.clear()
            self.asked.clear()
            found = self.checkpoints[folder] = Checkpoint(Path(folder), task.kind, task.labels)
        return found

    def features(self, task: Task, examples: list[Example], tokenizer: Any) -> list[list[Features]]:
        """Examples of a domain's task, encoded; of none, as where nothing is looked at in training, none."""
        if not examples:  # tokenizers do not take an empty list
            return []
        return task.encode(examples, tokenizer, self.max_length, self.target_length)

    def test_features(self, domain: str, task: Task, tokenizer: Any) -> list[list[Features]]:
        """The test split of a domain, encoded once for all cells that read the checkpoint which stays in memory.

        A search has another split for each of its places.
        """
        examples = self.split(domain, "test")
        if domain not in self.asked or self.asked[domain].examples is not examples:
            self.asked[domain] = Encoded(examples, self.features(task, examples, tokenizer))
        return self.asked[domain].features


def run_control(
    bench: Bench, domain: str, budget: int, seed: int, checkpoint: str | None
) -> tuple[list[Any], dict[str, Any]]:
    """A control's predictions for the domain's test examples, and what they cost; its tokens are the checkpoint's."""
    control = bench.adaptations[0]
    assert isinstance(control, Control)
    examples = few(bench.split(domain, "train"), budget, bench.task.folder.name, domain, seed)
    test = bench.split(domain, "test")
    if isinstance(control, TokenControl):
        from harness.backbone.tokenizer import load_tokenizer  # transformers, which other controls do without

        assert checkpoint is not None
        tokenizer, task = load_tokenizer(Path(checkpoint)), bench.task.at(domain)
        with measured() as cost:
            known, asked = (bench.features(task, rows, tokenizer) for rows in (examples, test))
            predictions = control.predict_tokens(known, asked, len(tokenizer))
    else:
        with measured() as cost:
            predictions = control.predict(examples, test)
    return predictions, {
        "adaptation_seconds": cost.seconds,
        "prediction_seconds": 0.0,
        "peak_rss_mib": cost.peak_rss_mib,
        "peak_device_mib": cost.peak_device_mib,
    }
