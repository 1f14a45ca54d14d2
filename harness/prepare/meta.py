"""Meta-learning: one preparation for MAML, MLtD, priming and Meta-Adapters, which differ in its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import torch
from pydantic import Field

from harness.base.errors import UserError
from harness.base.progress import bar, watcher
from harness.base.seeds import derive, generator
from harness.contracts.method import Train
from harness.contracts.model import Strict
from harness.contracts.preparation import OF_ADDED, OF_BODY, DomainPreparation, Range, fewer
from harness.contracts.task import Role
from harness.data.task import Features
from harness.learn.flops import Flops
from harness.learn.loop import rate
from harness.meta.episodes import Episode, batches_of, check_size, draw, tokens_in
from harness.meta.gradient import Memory
from harness.meta.inner import Values
from harness.meta.outer import HeadHandling, Learner, Updates
from harness.prepare.workshop import Workshop

UNLIMITED = 1e9  # a clip that never acts


class Inner(Strict):
    """The inner loop: the adaptation procedure that runs on the target, for a few steps."""

    updates: Literal["adaptation", "everything"] = "adaptation"
    steps: int = Field(5, ge=0)
    optimizer: Literal["adamw", "sgd"] = "sgd"
    lr: float = Field(0.03, gt=0)
    batch_size: int = Field(4, ge=1)
    clip: float | None = Field(None, gt=0, description="largest norm of a task's gradient; none where absent")

    def settings(self) -> Train:
        """As the training loop has them."""
        return Train(
            steps=self.steps, batch_size=self.batch_size, lr=self.lr, optimizer=self.optimizer,
            schedule="constant", warmup=0.0, clip=self.clip or UNLIMITED,
        )  # fmt: skip


class Outer(Strict):
    """The outer loop. `controller_lr` is for what an adaptation added that the inner loop leaves alone."""

    updates: Literal["everything", "adaptation"] = "everything"
    iterations: int = Field(100, ge=1)
    meta_batch: int = Field(2, ge=1)
    query: int = Field(8, ge=1)
    lr: float = Field(1e-3, gt=0)
    controller_lr: float | None = Field(None, gt=0)
    schedule: Literal["constant", "linear"] = "linear"
    warmup: float = Field(0.06, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, gt=0)
    patience: int | None = Field(None, ge=1, description="checks on meta_dev without a better one before it ends")
    check_every: int = Field(10, ge=1)

    def settings(self) -> Train:
        """The schedule of the rate, as the training loop has it."""
        return Train(steps=self.iterations, lr=self.lr, schedule=self.schedule, warmup=self.warmup)


class Meta(DomainPreparation):
    """Initial values from which few steps on few examples suffice (Finn et al., 2017; Hou et al., 2022, algorithm 1).

    `documents` of a language modelling task are the domains' unlabeled text or their train documents.
    """

    inner: Inner = Inner()
    outer: Outer = Outer()
    order: Literal[1, 2] = 1
    memory: Memory = "store"
    head: HeadHandling = "carry"
    documents: Literal["unlabeled", "train"] = "unlabeled"
    random_start: bool = Field(False, description="begin from random weights, as plain MAML does")

    @property
    def uses_adaptation(self) -> bool:
        return True

    @property
    def rates(self) -> dict[str, Range]:
        """The outer rate first: where it is wrong nothing is learned, whatever the inner one is."""
        found = {"outer.lr": _range(self.outer.updates), "inner.lr": _range(self.inner.updates)}
        return found if self.outer.controller_lr is None else found | {"outer.controller_lr": OF_ADDED}

    def shortened(self, share: float) -> Self:
        iterations = fewer(self.outer.iterations, share)
        return self.model_copy(update={"outer": self.outer.model_copy(update={"iterations": iterations})})

    def reads(self, roles: dict[str, Role], target: str | None) -> list[str]:
        learned = self.learned(roles, target)
        return [domain for domain, role in roles.items() if domain in learned or role == "meta_dev"]  # for `patience`

    def sentences(self, domains: int) -> int:
        inner, outer = self.inner, self.outer
        return outer.iterations * outer.meta_batch * (inner.steps * inner.batch_size + outer.query)

    def prepare(self, workshop: Workshop) -> None:
        self.learn(workshop, Course)

    def learn(self, workshop: Workshop, course_of: Callable[..., Course]) -> None:
        """Run the course that `course_of` makes of these settings, and save what it learned."""
        backbone, tokenizer = workshop.attached(random_start=self.random_start)
        learner = Learner(
            backbone=backbone,
            adaptations=workshop.adaptations,
            updates=Updates.of(backbone, self.inner.updates, self.outer.updates, self.head),
            inner=self.inner.settings(),
            order=self.order,
            memory=self.memory,
            head=self.head,
        )
        learned_from = self.learned(workshop.roles, workshop.target)
        course = course_of(self, workshop, learner, tokenizer, learned_from)
        course.run()
        workshop.save(backbone.model, tokenizer, course.tokens, course.flops.of(course.tokens), learner.head_to_drop())
        workshop.save_adaptation(backbone)


def _range(updates: Literal["everything", "adaptation"]) -> Range:
    return OF_BODY if updates == "everything" else OF_ADDED


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
