"""Preparations that learn from domains with different labels: rows of the head for each, a fresh head on the target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.adaptations.adapter import Adapter
from harness.adaptations.adapter_fusion import AdapterFusion
from harness.backbone.load import Checkpoint
from harness.base.files import write_lines
from harness.contracts.discover import tasks
from harness.contracts.preparation import Preparation
from harness.contracts.task import Sizes
from harness.data.task import load_task
from harness.learn.save import ADAPTATION, attach, load_start
from harness.prepare.fusion import Fusion
from harness.prepare.multitask import Multitask, Sdpt
from harness.prepare.workshop import Workshop
from tests.contract.test_preparations import meta

KIND: Any = "sequence-classification"
ROLES: Any = {
    "inference": "meta_train", "similarity": "meta_train", "sentiment": "meta_train", "acceptability": "meta_test",
}  # fmt: skip
ROWS = [
    "inference: entailment", "inference: neutral", "inference: contradiction", "similarity: number",
    "sentiment: negative", "sentiment: positive",
]  # fmt: skip
CASES: list[tuple[str, str, Preparation, Any]] = [
    ("multitask", "bert", Multitask(steps=3, batch_size=6), None),
    ("multitask", "bart", Multitask(steps=2, batch_size=6, head="fresh"), None),
    ("a carried head", "gpt2", meta(head="carry"), Adapter(bottleneck=4)),
    ("a head for every task anew", "bert", meta(head="fresh"), Adapter(bottleneck=4)),
    ("a head that is learned", "bert", meta(head="meta", order=2), Adapter(bottleneck=4)),
    ("an adapter a domain", "bert", Fusion(steps=2, batch_size=2), AdapterFusion(bottleneck=4)),
]


def workshop_for(folder: Path, checkpoint: Path, preparation: Preparation, adaptation: Any) -> Workshop:
    task = load_task(tasks()["glue"])
    for domain in ROLES:
        splits = task.at(domain).read_embedded(domain, Sizes(train=8, dev=1, test=1))
        write_lines(folder / domain / "train.jsonl", splits["train"])
    (folder / "saved").mkdir()
    return Workshop(
        task=task, backbone=checkpoint, folders={domain: folder / domain for domain in ROLES}, roles=ROLES,
        readable=preparation.reads(ROLES, None), target=None, seed=0, max_length=24, target_length=8,
        saved_to=folder / "saved", resumed_from=folder / "resume", name="it",
        adaptations=[] if adaptation is None else [adaptation],
    )  # fmt: skip


@pytest.mark.parametrize(("what", "architecture", "preparation", "adaptation"), CASES, ids=lambda it: str(it)[:20])
def test_each_domain_has_rows_of_its_own(
    what: str,
    architecture: str,
    preparation: Preparation,
    adaptation: Any,
    checkpoint_folder: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    workshop = workshop_for(tmp_path, checkpoint_folder(architecture), preparation, adaptation)
    assert workshop.checkpoint().labels == ROWS
    preparation.prepare(workshop)
    whole = Checkpoint(workshop.saved_to, KIND, ROWS)
    dropped = getattr(preparation, "head", None) == "fresh"
    assert bool(whole.fresh) == dropped
    target = load_task(tasks()["glue"]).at("acceptability")
    read = Checkpoint(workshop.saved_to, KIND, target.labels)
    assert read.head
    assert {name for name in read.fresh if "pooler" not in name} == {name for name in read.head if "pooler" not in name}
    backbone = read.backbone(0)
    attach(backbone, workshop.adaptations, 0)
    load_start(backbone, workshop.saved_to)
    assert (workshop.saved_to / ADAPTATION).is_file() == (adaptation is not None)
    assert backbone(input_ids=torch.tensor([[0, 20, 21, 2]])).logits.shape == (1, 2)


def test_every_domains_rows_are_trained(checkpoint_folder: Callable[[str], Path], tmp_path: Path) -> None:
    preparation = Multitask(steps=6, batch_size=12)
    workshop = workshop_for(tmp_path, checkpoint_folder("bert"), preparation, None)
    before = workshop.checkpoint().backbone(workshop.init()).model.get_parameter("classifier.weight").clone()
    preparation.prepare(workshop)
    after = Checkpoint(workshop.saved_to, KIND, ROWS).model.get_parameter("classifier.weight")
    assert ((after - before).abs().sum(1) > 1e-3).all()


def test_one_source_hands_its_head_to_a_target_with_the_same_labels(
    checkpoint_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    preparation = Sdpt(steps=2, batch_size=4, source="sentiment")
    workshop = workshop_for(tmp_path, checkpoint_folder("bert"), preparation, None)
    assert workshop.checkpoint().labels == ["negative", "positive"]
    preparation.prepare(workshop)
    glue = load_task(tasks()["glue"])
    assert not Checkpoint(workshop.saved_to, KIND, glue.at("SST-2").labels).fresh
    assert Checkpoint(workshop.saved_to, KIND, glue.at("acceptability").labels).fresh
