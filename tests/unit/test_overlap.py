"""Test examples that stand in a training split too: refused with every way out, or left out and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.base.files import read_json, read_lines
from harness.cli.main import main
from harness.contracts.plan import Plan
from harness.plan.entry import make_plan, recheck
from harness.plan.jobs import build_data
from tests import project as use
from tests.project import CONFIG

DOMAINS = {"en": "meta_train", "es": "meta_train", "nl": "meta_test"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """NER data in which two test sentences of `nl` are a training and a dev sentence of `en`, and none of `es`."""
    use.copy_project(tmp_path)
    use.ner_data(tmp_path)
    for split in ("train", "dev", "test"):
        rows = [f"es:ese\tO\nes:es{split}{number}\tB-PER\n" for number in range(6)]
        use.text(f"data/wikiann/es/{split}", "\n".join(rows))(tmp_path)
    with open(tmp_path / "data" / "wikiann" / "nl" / "test", "a") as file:
        file.write("\nnl:word\tO\nnl:entrain0\tB-PER\n\nnl:word\tO\nnl:endev5\tB-PER\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    return tmp_path


def plan(folder: Path, **changes: Any) -> Plan:
    use.wikiann(source="local", domains=DOMAINS, **changes)(folder)
    return make_plan(CONFIG)


def built(folder: Path, **changes: Any) -> Plan:
    """The plan, checked ahead, with its data on disk."""
    made = plan(folder, **changes)
    recheck(made)
    build_data(made, made.data[0])
    return made


def ids(made: Plan, domain: str, split: str) -> list[str]:
    return [row["id"] for row in read_lines(Path(made.data[0].folders[domain]) / f"{split}.jsonl")]


def test_the_sentence_names_every_way_out(project: Path) -> None:
    told = (
        r"test example nl-test-6 is .*'word', 'entrain0'.*'en' too; remove one .* `overlap: drop` .* `overlap_allowed"
    )
    with pytest.raises(UserError, match=told):
        recheck(plan(project))
    with pytest.raises(UserError, match=told):
        build_data(plan(project), plan(project).data[0])


def test_dropping_leaves_the_examples_out_of_training_and_counts_them(project: Path) -> None:
    made = built(project, overlap="drop")
    assert ids(made, "en", "train") == ids(made, "en", "unlabeled") == [f"en-train-{place}" for place in range(1, 6)]
    assert ids(made, "en", "dev") == [f"en-dev-{place}" for place in range(5)]
    assert (len(ids(made, "en", "test")), len(ids(made, "es", "train")), len(ids(made, "nl", "test"))) == (6, 6, 8)
    lost = {"train": 1, "dev": 1, "unlabeled": 1}
    assert read_json(Path(made.data[0].done))["dropped"] == {"wikiann/en": lost}
    assert read_json(Path(made.data[0].folders["en"]) / "manifest.json")["dropped"] == lost
    assert read_json(Path(made.data[0].folders["es"]) / "manifest.json")["dropped"] == {}
    assert made.data[0].overlap == "drop"
    assert not made.tasks["wikiann"].overlap_allowed


def test_allowing_keeps_the_examples_and_marks_the_task(project: Path) -> None:
    made = built(project, overlap_allowed=True)
    assert len(ids(made, "en", "train")) == 6
    assert made.tasks["wikiann"].overlap_allowed
    assert read_json(Path(made.data[0].done))["dropped"] == {}


def test_what_is_read_without_test_examples_has_another_name(project: Path) -> None:
    whole, part = built(project, overlap_allowed=True), built(project, overlap="drop")
    folders = [made.data[0].folders for made in (whole, part)]
    assert folders[0]["nl"] == folders[1]["nl"]
    assert folders[0]["en"] != folders[1]["en"]
    assert whole.backbones[0].fingerprint != part.backbones[0].fingerprint
    assert not {cell.fingerprint for cell in whole.cells()} & {cell.fingerprint for cell in part.cells()}


def test_another_test_sentence_is_another_training_split(project: Path) -> None:
    before = built(project, overlap="drop")
    with open(project / "data" / "wikiann" / "nl" / "test", "a") as file:
        file.write("\nnl:word\tO\nnl:entrain3\tB-PER\n")
    after = built(project, overlap="drop")
    assert before.data[0].folders["en"] != after.data[0].folders["en"]
    assert "en-train-3" in ids(before, "en", "train")
    assert "en-train-3" not in ids(after, "en", "train")


def test_a_domain_with_nothing_left_to_train_on_is_refused(project: Path) -> None:
    with open(project / "data" / "wikiann" / "nl" / "test", "a") as file:
        file.writelines(f"\nnl:word\tO\nnl:entrain{number}\tB-PER\n" for number in range(6))
    with pytest.raises(UserError, match=r"tasks.wikiann.overlap is 'drop'; every training example of domain 'en'"):
        recheck(plan(project, overlap="drop"))


def test_saying_both_is_refused(project: Path) -> None:
    with pytest.raises(UserError, match=r"tasks.wikiann.overlap is 'drop'; .overlap_allowed: true. says the opposite"):
        plan(project, overlap="drop", overlap_allowed=True)


def test_the_run_decides_before_the_task(project: Path) -> None:
    use.edit("tasks/wikiann/task.yaml", "sources:", "overlap_allowed: true\nsources:")(project)
    assert plan(project).data[0].overlap == "allow"
    assert plan(project, overlap="drop").data[0].overlap == "drop"
    with pytest.raises(UserError, match="remove one of them"):
        recheck(plan(project, overlap="refuse"))


def test_a_domain_under_two_names_is_refused_where_overlap_is_dropped(project: Path) -> None:
    for file in (project / "data" / "wikiann" / "es").iterdir():
        (project / "data" / "wikiann" / "nl" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UserError, match=r"its data are those of 'es', .* `overlap_allowed: true`"):
        plan(project, overlap="drop")


def test_check_says_all_is_well_where_overlap_is_dropped(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(project, overlap="drop")
    assert main(["check", "--configfile", CONFIG]) == 0
    told = capsys.readouterr()
    assert "all is well" in told.out
    assert "wikiann/en" in told.err + told.out
