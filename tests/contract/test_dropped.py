"""A record says which test examples were left out of what its checkpoint was made from, and how it was scored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.base.files import read_json
from harness.cli.main import main
from harness.plan.entry import make_plan, release_locks
from harness.record.collect import collect
from tests import project as use
from tests.project import CONFIG


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """NER data in which a test sentence of `nl` is a training sentence of `en`, and a run that drops it."""
    use.copy_project(tmp_path)
    use.ner_data(tmp_path)
    with open(tmp_path / "data" / "wikiann" / "nl" / "test", "a") as file:
        file.write("\nnl:word\tO\nnl:entrain0\tB-PER\n")
    task = {"source": "local", "budgets": [4], "overlap": "drop", "domains": {"en": "meta_train", "nl": "meta_test"}}
    short = {"train": {"steps": 1}, "prepare": {"multitask": {"steps": 1}}}
    base = {"encoder": use.backbone("bert", "wikiann", corpora={"wikiann": ["meta_test"]})}
    use.config(methods=["finetune", "multitask"], tasks={"wikiann": task | short}, backbones=base)(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    return tmp_path


def test_records_say_what_was_left_out_of_their_checkpoints(project: Path) -> None:
    for method in ("finetune", "multitask"):
        assert main(["run", "--configfile", CONFIG, "--task", "wikiann", "--method", method]) == 0
        release_locks()
    plan = make_plan(CONFIG)
    lost = {"wikiann/en": {"train": 1, "unlabeled": 1}}
    records = {cell.method: read_json(Path(cell.folder) / "record.json") for cell in plan.cells()}
    assert records["finetune"]["dropped"] == {}  # neither it nor its backbone has read a meta_train domain
    assert records["multitask"]["dropped"] == lost
    assert {
        part.seed: read_json(Path(part.folder) / "prepared.json")["dropped"] for part in plan.prepares[0].parts
    } == {0: lost}
    rows = collect(plan)
    assert {method: set(its.dropped.map(json.loads).map(repr)) for method, its in rows.groupby("method")} == {
        "finetune": {"{}"},
        "multitask": {repr(lost)},
    }


def test_a_backbone_pretrained_on_what_lost_examples_says_so(project: Path) -> None:
    use.edit(CONFIG, "- meta_test", "- meta_train")(project)
    assert main(["run", "--configfile", CONFIG, "--task", "wikiann", "--method", "finetune"]) == 0
    release_locks()
    plan = make_plan(CONFIG)
    lost = {"wikiann/en": {"train": 1, "unlabeled": 1}}
    assert read_json(Path(plan.backbones[0].done))["dropped"] == lost
    (record,) = [read_json(Path(cell.folder) / "record.json") for cell in plan.block("wikiann", "finetune").cells]
    assert record["dropped"] == lost
