"""Meta-learning: one preparation for MAML, MLtD, priming and Meta-Adapters, which differ in its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from harness.contracts.method import Train
from harness.contracts.model import Strict
from harness.contracts.preparation import OF_ADDED, OF_BODY, DomainPreparation, Passes, Range, fewer
from harness.contracts.task import Role
from harness.meta.choices import HeadHandling, Memory

if TYPE_CHECKING:
    from harness.prepare.course import Course
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

    def passes(self, domains: int) -> list[Passes]:
        inner, outer = self.inner, self.outer
        tasks = outer.iterations * outer.meta_batch
        return [
            Passes(tasks * inner.steps, inner.batch_size, inner.updates == "everything", mixed=True),
            Passes(tasks, outer.query, outer.updates == "everything", mixed=True),
        ]

    def prepare(self, workshop: Workshop) -> None:
        from harness.prepare.course import Course

        self.learn(workshop, Course)

    def learn(self, workshop: Workshop, course_of: Callable[..., Course]) -> None:
        """Run the course that `course_of` makes of these settings, and save what it learned."""
        from harness.meta.outer import Learner, Updates

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
