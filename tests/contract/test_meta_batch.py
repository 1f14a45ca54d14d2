"""A meta-batch of one domain: every meta-preparation runs with it, and counts what larger ones count."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from harness.backbone.load import Checkpoint
from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import Method, methods
from harness.learn.batches import Batch
from harness.learn.flops import Flops
from harness.learn.save import attach
from harness.meta.outer import Learner, Updates
from harness.parts.build import adaptations_of, preparation_of
from harness.prepare.cmaml import Cmaml
from harness.prepare.meta import Meta
from tests.contract.test_preparations import KINDS, meta, workshop_for

ROWS, LENGTH = 2, 8
Folder = Callable[[str], Path]
Read = Callable[..., Checkpoint]


def settings_of(method: Method) -> Meta | None:
    """The meta-learning of a method that is prepared so."""
    preparation = preparation_of(method)
    return (
        preparation.meta if isinstance(preparation, Cmaml) else preparation if isinstance(preparation, Meta) else None
    )


@cache
def learned() -> dict[str, tuple[Method, Meta]]:
    """Every method with meta-learning, one of those that adapt alike and whose inner loops update the same."""
    found = {}
    for name, method in methods().items():
        settings = settings_of(method)
        if settings is not None:
            found.setdefault(repr([method.spec.adapt, settings.inner.updates]), (name, (method, settings)))
    return dict(found.values())


def batch_of(kind: str, tasks: int, seed: int) -> Batch:
    """One task's rows, `tasks` times."""
    ids = torch.randint(5, 300, (ROWS, LENGTH), generator=torch.Generator().manual_seed(seed)).repeat(tasks, 1)
    labels = ids % 7 if kind == "token-classification" else ids.clone()
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


@pytest.mark.parametrize(("architecture", "order"), [("bert", 1), ("bert", 2), ("gpt2", 2), ("bart", 1)])
@pytest.mark.parametrize("name", learned())
def test_one_task_counts_half_of_two(name: str, architecture: str, order: Literal[1, 2], checkpoint: Read) -> None:
    method, settings = learned()[name]
    kind = KINDS[architecture]
    adaptations = [part for part in adaptations_of(method) if isinstance(part, Adaptation)]

    def counted(tasks: int) -> tuple[int, list[float]]:
        backbone = checkpoint(architecture, kind, 7 if kind == "token-classification" else None).backbone(0)
        attach(backbone, adaptations, 0)
        backbone.train()
        updates = Updates.of(backbone, settings.inner.updates, settings.outer.updates, settings.head)
        inner = settings.inner.settings()
        learner = Learner(backbone, adaptations, updates, inner, order, settings.memory, settings.head)
        flops = Flops()
        with flops.step(tasks):
            found = learner.gradient([batch_of(kind, tasks, 1)], batch_of(kind, tasks, 2), tasks)
        return flops.counted, found.losses.tolist()

    (one, loss), (two, losses) = counted(1), counted(2)
    assert one > 0
    assert two == 2 * one
    assert all(torch.isfinite(torch.tensor([*loss, *losses])))


@pytest.mark.parametrize(("architecture", "memory"), [("bert", "store"), ("gpt2", "recompute"), ("bart", "store")])
def test_it_is_prepared_with_one_domain_at_a_time(
    architecture: str, memory: Any, checkpoint_folder: Folder, tmp_path: Path
) -> None:
    preparation = meta(outer={"meta_batch": 1, "iterations": 1}, head="meta", order=2, memory=memory)
    adaptations = [part for part in adaptations_of(methods()["mltd"]) if isinstance(part, Adaptation)]
    workshop = workshop_for(tmp_path, architecture, checkpoint_folder(architecture), preparation, adaptations, None)
    preparation.prepare(workshop)
    assert workshop.cost["flops"] > 0
