"""The checkpoints that a run did not make itself: what is wrong with them, told before any compute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import tasks
from harness.contracts.method import Train
from harness.contracts.plan import BackboneJob, Block, Plan
from harness.data.task import Example, Task, load_task
from harness.parts.build import adaptations_of
from harness.parts.offered import preparations
from harness.parts.variants import method_of

if TYPE_CHECKING:
    from harness.adapt.trial import Use

TEXTS = 20  # of each domain, to see whether a tokenizer knows their words


def check_local(plan: Plan, tell_unsupported: bool = False) -> list[str]:
    """What to know of the run's local checkpoints, a line each; raises UserError at the first that cannot be used.

    Those with a card of the project were tried when they were pinned. To tell of the methods that they do not support
    takes a second and more.
    """
    local = [job for job in plan.backbones if job.spec["source"] == "local" and not job.own]
    return [line for job in local for line in check_backbone(plan, job, tell_unsupported)]


def check_backbone(plan: Plan, job: BackboneJob, tell_unsupported: bool = False) -> list[str]:
    """What to know of a checkpoint that stands, a line each; raises UserError where the run cannot use it."""
    from harness.adapt.trial import try_checkpoint  # torch, which no plan needs

    lines = []
    for use in _uses(plan, job, tell_unsupported):
        lines += try_checkpoint(Path(job.checkpoint), use)
    return [f"backbone {job.name}: {line}" for line in dict.fromkeys(lines)]


def _uses(plan: Plan, job: BackboneJob, with_methods: bool) -> Iterator[Use]:
    """What the run's cells and preparations do with a backbone."""
    from harness.adapt.trial import Use

    known = preparations()
    for name, task in plan.tasks.items():
        blocks = [block for block in plan.blocks if block.task == name and block.backbone == job.name]
        if not any(cell.checkpoint for block in blocks for cell in block.cells):
            continue  # controls predict without one
        prepares = [prepare for prepare in plan.prepares if (prepare.task, prepare.backbone) == (name, job.name)]
        pretrains = any(known[prepare.name].pretrains for prepare in prepares)
        found = load_task(tasks()[task.base]).at(task.domains[0])
        parts = {block.method: _adaptations(block) for block in blocks} if with_methods else {}
        yield Use(found, task.max_length, task.target_length, pretrains, texts_of(plan, name), parts)


def _adaptations(block: Block) -> list[Adaptation]:
    """What a block's method attaches to a backbone."""
    parts = adaptations_of(method_of(block.method, block.adapt))
    steps = Train(**block.train).over(min(cell.budget for cell in block.cells)).steps
    return [part.trained_for(steps) for part in parts if isinstance(part, Adaptation)]


def texts_of(plan: Plan, name: str) -> list[str]:
    """A few texts of each domain of a task whose data stand."""
    task, examples = examples_of(plan, name)
    return [task.text(example) for example in examples]


def examples_of(plan: Plan, name: str) -> tuple[Task, list[Example]]:
    """A task, and a few examples of each of its domains whose data stand."""
    files = [Path(folder) / "train.jsonl" for folder in plan.data_of(name).folders.values()]
    examples: list[Example] = []
    for file in files:
        if file.is_file():
            with open(file, encoding="utf-8") as lines:
                examples += [json.loads(line) for line in islice(lines, TEXTS)]
    return load_task(tasks()[plan.tasks[name].base]), examples
