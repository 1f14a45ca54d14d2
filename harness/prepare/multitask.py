"""Multitask training on the meta_train domains."""

from __future__ import annotations

from pydantic import Field

from harness.backbone.load import Checkpoint
from harness.base.progress import bar, watcher
from harness.contracts.preparation import Preparation
from harness.learn.batches import collate, shuffled
from harness.learn.loop import train
from harness.prepare.workshop import Workshop


class Multitask(Preparation):
    """All parameters learn the labelled train splits of all meta_train domains, mixed."""

    steps: int = Field(300, ge=1)
    batch_size: int = Field(32, ge=1)
    lr: float = Field(1e-3, gt=0)

    def prepare(self, workshop: Workshop) -> None:
        checkpoint = Checkpoint(workshop.backbone, workshop.task.kind, workshop.labels)
        examples = [
            example for domain in workshop.domains("meta_train") for example in workshop.examples(domain, "train")
        ]
        lengths = workshop.max_length, workshop.target_length
        encoded = workshop.task.encode(examples, checkpoint.tokenizer, *lengths)
        features = [window for windows in encoded for window in windows]
        backbone = checkpoint.backbone(workshop.init())
        backbone.train_all()
        rows = shuffled(features, self.batch_size, workshop.order())
        batches = (collate(row, checkpoint.tokenizer.pad_token_id, backbone.device) for row in rows)
        settings = workshop.train_settings(self.steps, self.batch_size, self.lr)
        with bar(self.steps, f"multitask seed {workshop.seed}") as progress:
            done = train(backbone, batches, settings, watcher(progress), resume=workshop.resume())
        workshop.save(backbone.model, checkpoint.tokenizer, done.tokens)
