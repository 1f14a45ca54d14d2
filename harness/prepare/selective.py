"""Customized MAML's outer loop, in which each domain's structure is selected on the way."""

from __future__ import annotations

from typing import Any

import torch

from harness.base.seeds import generator
from harness.learn.batches import in_order
from harness.meta.episodes import Episode, tokens_in
from harness.meta.inner import Values
from harness.prepare.course import Course


class Selective(Course):
    """The outer loop in which each domain's structure is selected before the meta-iteration `first`."""

    def __init__(self, *parts: Any, first: int, support: int) -> None:
        super().__init__(*parts)
        self.first, self.support = first, support

    def seen(self, iteration: int, episodes: list[Episode]) -> Values | None:
        if iteration < self.first:
            return {}  # the buffers as they were attached, with nothing pruned
        if not self.selected:
            self.selected = {name: self._select(name) for name in self.train}
        structures = [self.selected[episode.domain] for episode in episodes]
        return {name: torch.cat([structure[name] for structure in structures]) for name in structures[0]}

    def _select(self, domain: str) -> Values:
        """What the adaptations observe of a domain's examples, as on the target: without dropout."""
        rng = generator(
            "order", "select", self.workshop.name, self.workshop.target or "all", self.workshop.seed, domain
        )
        examples = rng.sample(self.train[domain], min(self.support, len(self.train[domain])))
        backbone = self.learner.backbone
        size, pad = self.meta.inner.batch_size, self.tokenizer.pad_token_id
        batches = list(in_order(examples, size, pad, backbone.device))
        self.tokens += tokens_in(batches)
        backbone.eval()
        structure = self.learner.observed(batches, 1)
        backbone.train()
        return structure
