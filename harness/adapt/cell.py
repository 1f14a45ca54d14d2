"""One cell: attach, train on k examples, predict the test split."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.adapt.save import attach, stored_bytes
from harness.backbone.load import Checkpoint
from harness.base.files import read_lines
from harness.base.measure import measured
from harness.base.progress import bar, watcher
from harness.base.seeds import derive, generator
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.method import Train
from harness.data.kinds import TokenClassification
from harness.data.splits import few
from harness.data.task import Example, Features, Task
from harness.learn.batches import collate, shuffled
from harness.learn.loop import train
from harness.learn.predict import predict


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
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    splits: dict[tuple[str, str], list[Example]] = field(default_factory=dict)
    encoded: dict[tuple[str, str], list[list[Features]]] = field(default_factory=dict)

    def split(self, domain: str, split: str) -> list[Example]:
        """A split of a domain; the test split cut to the number of examples that are scored."""
        if (domain, split) not in self.splits:
            examples = read_lines(Path(self.folders[domain]) / f"{split}.jsonl")
            self.splits[domain, split] = examples[: self.test_examples] if split == "test" else examples
        return self.splits[domain, split]

    def checkpoint(self, folder: str) -> Checkpoint:
        """A checkpoint, read once; only the newest stays in memory, since cells come ordered by it."""
        if folder not in self.checkpoints:
            self.checkpoints.clear()
            labels = len(self.task.labels) if isinstance(self.task, TokenClassification) else None
            self.checkpoints[folder] = Checkpoint(Path(folder), self.task.kind, labels)
        return self.checkpoints[folder]

    def features(self, examples: list[Example], tokenizer: Any) -> list[list[Features]]:
        """Encoded examples."""
        return self.task.encode(examples, tokenizer, self.max_length, self.target_length)


def run_cell(
    bench: Bench, domain: str, budget: int, seed: int, checkpoint: str | None
) -> tuple[list[Any], dict[str, Any]]:
    """The cell's predictions for the domain's test examples, and what it cost."""
    examples = few(bench.split(domain, "train"), budget, bench.task.folder.name, domain, seed)
    test = bench.split(domain, "test")
    first = bench.adaptations[0]
    if isinstance(first, Control):
        with measured() as cost:
            predictions = first.predict(examples, test)
        return predictions, _costs(cost.seconds, 0.0, cost.peak_rss_mib, cost.peak_device_mib)
    assert checkpoint is not None
    read = bench.checkpoint(checkpoint)
    axes = bench.task.folder.name, domain, budget, seed
    backbone = read.backbone(derive("init", *axes))
    attach(backbone, bench.adaptations, derive("init", *axes))  # type: ignore[arg-type]
    features = [window for windows in bench.features(examples, read.tokenizer) for window in windows]
    rows = shuffled(features, bench.train.batch_size, generator("order", *axes))
    batches = (collate(row, read.tokenizer.pad_token_id, backbone.device) for row in rows)
    with measured() as training, bar(bench.train.steps, f"{domain} k={budget} seed {seed}") as progress:
        done = train(backbone, batches, bench.train, watcher(progress))
    with measured() as predicting:
        predictions = predict(
            backbone, bench.task, test, bench.features(test, read.tokenizer), read.tokenizer, bench.target_length
        )
    trained = sum(value.numel() for value in backbone.trained().values()) if bench.train.steps else 0
    costs = _costs(
        training.seconds,
        predicting.seconds,
        max(training.peak_rss_mib, predicting.peak_rss_mib),
        max(training.peak_device_mib or 0.0, predicting.peak_device_mib or 0.0) or None,
    )
    return predictions, costs | {
        "arithmetic_cpu_seconds": training.cpu_seconds + predicting.cpu_seconds,
        "trained_parameters": trained,
        "model_parameters": sum(value.numel() for value in read.model.parameters()),
        "stored_bytes": stored_bytes(backbone) if bench.train.steps else 0,
        "trained_tokens": done.tokens,
        "last_loss": done.last_loss,
    }


def _costs(adaptation: float, prediction: float, rss: float, device: float | None) -> dict[str, Any]:
    return {
        "adaptation_seconds": adaptation,
        "prediction_seconds": prediction,
        "peak_rss_mib": rss,
        "peak_device_mib": device,
    }
