"""`headstart pretrain`: train a pinned backbone by its recipe, and put it where configurations find it."""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

from harness.adapt.failure import read_failure
from harness.backbone.card import Card, write_card
from harness.base.errors import UserError
from harness.base.files import read_json, read_lines, whole_folder
from harness.base.progress import say
from harness.cli.run import make_data
from harness.contracts.discover import tasks
from harness.contracts.plan import BackboneJob, Plan
from harness.data.task import load_task
from harness.data.texts import read_texts
from harness.plan.entry import recheck_data, release_locks, take_lock
from harness.plan.jobs import build_backbone
from harness.plan.recipes import PINNED, RECIPE, recipe_plan

HELD_OUT = 200  # dev texts of a domain


def pretrain(options: Namespace) -> int:
    """Train the backbone of a recipe; one that was stopped goes on, one that stands is written out again."""
    plan = recipe_plan(options.name)
    (job,) = plan.backbones
    take_lock(plan)
    recheck_data(plan)
    plan.save()
    make_data(plan)
    if not Path(job.done).is_file():
        build_backbone(plan, job)
    if failure := read_failure(Path(job.folder)):
        raise UserError(f"{PINNED / job.name / RECIPE}: the backbone could not be trained: {failure.error.strip()}")
    card = card_of(plan, job)
    pin(job, card)
    release_locks()
    say(f"backbone {job.name}: stands in {PINNED / job.name}, weights {card.sha256[:10]}")
    return 0


def pin(job: BackboneJob, card: Card) -> None:
    """Put a trained checkpoint beside its recipe, with its card, in the place of what was there."""
    with whole_folder(PINNED / job.name) as beside:
        shutil.copy(PINNED / job.name / RECIPE, beside)
        for file in Path(job.folder).iterdir():
            if file.is_file() and file != Path(job.done):
                shutil.copyfile(
                    file, beside / file.name
                )  # not its mode: transformers writes weights for one's own eyes
        write_card(beside, job.name, card)


def card_of(plan: Plan, job: BackboneJob) -> Card:
    """What is known of a backbone that was trained."""
    from harness.prepare.pretraining import held_out_loss

    def lost_on(unread: list[str]) -> float:
        return round(held_out_loss(Path(job.folder), unread, job.spec["max_length"]), 4)

    note = read_json(Path(job.done))
    texts: dict[str, dict[str, int]] = {}
    losses: dict[str, dict[str, float]] = {}
    for data in plan.data:
        task = load_task(tasks()[data.task])
        for domain, role in data.roles.items():
            if role in job.spec["corpora"][data.task]:
                folder = Path(data.folders[domain])
                texts.setdefault(data.task, {})[domain] = len(list(read_lines(folder / "unlabeled.jsonl")))
                unread = [task.text(example) for example in read_lines(folder / "dev.jsonl")][:HELD_OUT]
                losses.setdefault(data.task, {})[domain] = lost_on(unread)
    for folder in job.spec["texts"]:
        texts[folder] = {file: len(read) for file, read in read_texts(Path(folder)).items()}
        losses[folder] = {
            file: lost_on(unread) for file, unread in read_texts(Path(folder), apart=True).items() if unread
        }
    return Card(
        identity=job.identity,
        sha256=note["model"]["sha256"],
        parameters=note["model"]["parameters"],
        texts=texts,
        held_out=losses,
        seconds=round(note["cost"]["seconds"], 1),
        cpu_seconds=round(note["cost"]["cpu_seconds"], 1),
        provenance=note["provenance"],
    )
