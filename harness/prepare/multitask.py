"""Supervised training on labelled source domains, together or on one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.base.errors import bad
from harness.base.progress import bar, watcher
from harness.contracts.preparation import OF_ADDED, OF_BODY, DomainPreparation, Passes, Range
from harness.contracts.task import Role

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone
    from harness.prepare.workshop import Workshop


class Multitask(DomainPreparation):
    """The labelled train splits of the domains, mixed.

    `updates` says what learns: the backbone without the method's adaptation; or, with the adaptation in its
    place, everything; or only what the adaptation trains. `head: fresh` leaves the trained head behind.
    """

    steps: int = Field(300, ge=1)
    batch_size: int = Field(32, ge=1)
    lr: float = Field(1e-3, gt=0)
    updates: Literal["backbone", "everything", "adaptation"] = "backbone"
    head: Literal["keep", "fresh"] = "keep"

    @property
    def uses_adaptation(self) -> bool:
        return self.updates != "backbone"

    @property
    def rates(self) -> dict[str, Range]:
        return {"lr": OF_ADDED if self.updates == "adaptation" else OF_BODY}

    def passes(self, domains: int) -> list[Passes]:
        return [Passes(self.steps, self.batch_size, self.updates != "adaptation")]

    def prepare(self, workshop: Workshop) -> None:
        from harness.learn.batches import collate, shuffled
        from harness.learn.flops import Flops
        from harness.learn.loop import train

        backbone, tokenizer = self._backbone(workshop)
        domains = workshop.readable
        features = [it for domain in domains for it in workshop.features(domain, tokenizer, "train")]
        rows = shuffled(features, self.batch_size, workshop.order())
        batches = (collate(row, tokenizer.pad_token_id, backbone.device) for row in rows)
        settings = workshop.train_settings(self.steps, self.batch_size, self.lr)
        with bar(self.steps, f"{workshop.name} seed {workshop.seed}") as progress:
            done = train(
                backbone,
                batches,
                settings,
                watcher(progress),
                resume=workshop.resume(),
                noise=workshop.noise(),
                flops=Flops(),
            )
        without = backbone.head if self.head == "fresh" else ()
        workshop.save(backbone.model, tokenizer, done.tokens, done.flops, without)
        workshop.save_adaptation(backbone)

    def _backbone(self, workshop: Workshop) -> tuple[Backbone, Any]:
        if self.updates == "backbone":
            checkpoint = workshop.checkpoint()
            backbone, tokenizer = checkpoint.backbone(workshop.init()), checkpoint.tokenizer
        else:
            backbone, tokenizer = workshop.attached()
        if self.updates != "adaptation":
            backbone.requires_grad_(True)
        return backbone, tokenizer


class Sdpt(Multitask):
    """Supervised training on one source domain (SDPT; Yu et al., 2021): `source`, or the first of meta_train."""

    source: str | None = None

    def reads(self, roles: dict[str, Role], target: str | None) -> list[str]:
        able = super().reads(roles, target)
        if self.source is not None and self.source not in able:
            raise bad("prepare.sdpt", "source", self.source, f"use one of {', '.join(able)}")
        return [self.source] if self.source else able[:1]
