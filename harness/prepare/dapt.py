"""Continued pretraining by the backbone's own objective: on a domain's text, or on the task's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.contracts.method import Kind
from harness.contracts.preparation import Preparation

if TYPE_CHECKING:
    from harness.prepare.workshop import Workshop


class Dapt(Preparation):
    """Domain-adaptive pretraining (Gururangan et al., 2020): the target domain's unlabeled text.

    Of a dialogue the text holds the answers, so there the tables mark the method.
    """

    split: ClassVar[str] = "unlabeled"
    pretrains: ClassVar[bool] = True

    steps: int = Field(150, ge=1)
    batch_size: int = Field(32, ge=1)
    lr: float = Field(5e-4, gt=0)

    @property
    def per_domain(self) -> bool:
        return True

    def reads_targets(self, kind: Kind) -> bool:
        return kind == "dialogue"

    def prepare(self, workshop: Workshop) -> None:
        from harness.prepare.pretraining import continue_pretraining, load_for_pretraining

        assert workshop.target is not None
        texts = [workshop.task.text(example) for example in workshop.examples(workshop.target, self.split)]
        model, tokenizer, workshop.drawn = load_for_pretraining(workshop.backbone, workshop.init())
        settings = workshop.train_settings(self.steps, self.batch_size, self.lr)
        what = f"{workshop.name} {workshop.target} seed {workshop.seed}"
        done = continue_pretraining(
            model,
            tokenizer,
            texts,
            settings,
            workshop.max_length,
            workshop.order(),
            workshop.noise(),
            what,
            workshop.resume(),
        )
        workshop.save(model, tokenizer, done.tokens, done.flops)


class Tapt(Dapt):
    """Task-adaptive pretraining (Gururangan et al., 2020): the target's train documents, without their labels.

    All of them, at every budget: it is labels that are dear. The documents of a language modelling task are
    their own labels, so there too the tables mark the method.
    """

    split: ClassVar[str] = "train"

    def reads_targets(self, kind: Kind) -> bool:
        return kind == "causal-lm" or super().reads_targets(kind)
