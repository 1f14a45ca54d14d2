"""Domain-adaptive pretraining (Gururangan et al., 2020)."""

from __future__ import annotations

from pydantic import Field

from harness.contracts.preparation import Preparation
from harness.prepare.pretraining import continue_pretraining, load_for_pretraining
from harness.prepare.workshop import Workshop


class Dapt(Preparation):
    """Continued pretraining on the target domain's unlabeled text, by the backbone's own objective."""

    steps: int = Field(150, ge=1)
    batch_size: int = Field(32, ge=1)
    lr: float = Field(5e-4, gt=0)

    @property
    def per_domain(self) -> bool:
        return True

    def prepare(self, workshop: Workshop) -> None:
        assert workshop.target is not None
        texts = [workshop.task.text(example) for example in workshop.examples(workshop.target, "unlabeled")]
        model, tokenizer = load_for_pretraining(workshop.backbone)
        settings = workshop.train_settings(self.steps, self.batch_size, self.lr)
        what = f"dapt {workshop.target} seed {workshop.seed}"
        done = continue_pretraining(
            model, tokenizer, texts, settings, workshop.max_length, workshop.order(), what, workshop.resume()
        )
        workshop.save(model, tokenizer, done.tokens)
