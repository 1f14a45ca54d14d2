"""The outer loop of a meta-learning preparation, from where an earlier process stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from harness.base.errors import UserError
from harness.base.progress import bar, watcher
from harness.base.seeds import derive, generator
from harness.data.task import Features
from harness.learn.flops import Flops
from harness.learn.schedules import rate
from harness.meta.episodes import Episode, batches_of, check_size, draw, tokens_in
from harness.meta.inner import Values
from harness.meta.outer import Learner
from harness.prepare.workshop import Workshop

if TYPE_CHECKING:
    from harness.prepare.meta import Meta


class Course:
    """One run of the outer loop, which can be stopped and taken up again.

    `selected` is of each domain what the adaptations observed of it, where a course settles that for good.
    """

    def __init__(self, meta: Meta, workshop: Workshop, learner: Learner, tokenizer: Any, domains: list[str]) -> None:
        self.meta, self.workshop, self.learner, self.tokenizer = meta, workshop, learner, tokenizer
        self.train = {name: self._features(name) for name in domains}
        self.dev = {}
        if meta.outer.patience is not None:
            self.dev = {name: self._features(name) for name in workshop.domains("meta_dev")}
            if not self.dev:
                raise UserError("outer.patience is set, and no domain has the role meta_dev; give one that role")
        for name, features in {**self.train, **self.dev}.items():
            check_size(name, features, meta.outer.query, meta.inner.batch_size)
        self.tokens = 0
        self.flops = Flops()
        self.best: tuple[float, dict[str, Any]] | None = None
        self.since_best = 0
        self.selected: dict[str, Values] = {}

    def run(self) -> None:
        """Every meta-iteration from where an earlier process stopped."""
        outer, learner, resume = self.meta.outer, self.learner, self.workshop.resume()
        optimizer = learner.optimizer(outer.lr, outer.controller_lr, outer.weight_decay)
        rates = [group["lr"] for group in optimizer.param_groups]
        begin = self._taken_up(optimizer)
        learner.backbone.train()
        with bar(outer.iterations, f"{self.workshop.name} seed {self.workshop.seed}") as progress:
            progress.update(begin)
            watch = watcher(progress)
            for iteration in range(begin, outer.iterations):
                for group, lr in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = lr * rate(iteration, outer.settings())
                loss = self._iterate(iteration, optimizer)
                watch(iteration + 1, loss)
                if self._checked(iteration):
                    break
                resume.keep(
                    iteration=iteration + 1, values=learner.values(), optimizer=optimizer.state_dict(),
                    tokens=self.tokens, best=self.best, since_best=self.since_best, selected=self.selected,
                )  # fmt: skip
        if self.best is not None:
            learner.put_back(self.best[1])
        learner.backbone.eval()

    def _taken_up(self, optimizer: Any) -> int:
        state = self.workshop.resume().found()
        if state is None:
            return 0
        self.learner.put_back(state["values"])
        optimizer.load_state_dict(state["optimizer"])
        self.tokens, self.best, self.since_best = state["tokens"], state["best"], state["since_best"]
        self.selected = state["selected"]
        return int(state["iteration"])

    def _iterate(self, iteration: int, optimizer: Any) -> float:
        """One meta-iteration; every draw depends on its number alone, so a stop in between changes nothing."""
        meta, learner = self.meta, self.learner
        axes = "meta", self.workshop.name, self.workshop.target or "all", self.workshop.seed, iteration
        torch.manual_seed(derive("noise", *axes))
        if meta.head == "fresh":
            learner.renew_head(derive("init", *axes))
        inner, outer = meta.inner, meta.outer
        episodes = draw(
            self.train, outer.meta_batch, inner.steps, inner.batch_size, outer.query, generator("order", *axes)
        )
        support, query = batches_of(episodes, self.tokenizer.pad_token_id, learner.backbone.device)
        read = tokens_in([*support, query])
        self.tokens += read
        with self.flops.step(read):
            found = learner.gradient(support, query, len(episodes), self.seen(iteration, episodes))
        learner.step(found, optimizer, outer.clip)
        return float(found.losses.mean())

    def seen(self, iteration: int, episodes: list[Episode]) -> Values | None:
        """What the adaptations have observed of the episodes' domains; None where they look at the support sets."""
        return None

    def _checked(self, iteration: int) -> bool:
        """Look at meta_dev now and then; True where patience is at its end."""
        outer = self.meta.outer
        if outer.patience is None or (iteration + 1) % outer.check_every:
            return False
        rng = generator("order", "meta_dev", self.workshop.name, self.workshop.seed)
        inner = self.meta.inner
        episodes = draw(self.dev, max(4, len(self.dev)), inner.steps, inner.batch_size, outer.query, rng)
        support, query = batches_of(episodes, self.tokenizer.pad_token_id, self.learner.backbone.device)
        loss = self.learner.query_loss(support, query, len(episodes))
        self.since_best += 1
        if self.best is None or loss < self.best[0]:
            self.best, self.since_best = (loss, self.learner.values()), 0
        return self.since_best >= outer.patience

    def _features(self, domain: str) -> list[Features]:
        """A domain's examples as the model reads them."""
        return self.workshop.features(domain, self.tokenizer, self.meta.documents)
