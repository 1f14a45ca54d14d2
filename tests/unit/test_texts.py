"""Folders of text for pretraining: what of them is read, what is kept apart, what makes a backbone another."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.data.texts import APART, read_texts
from harness.plan.entry import make_plan
from harness.plan.jobs import build_backbone
from tests import project as use


def write(folder: Path, file: str, count: int) -> None:
    use.text(f"{folder}/{file}", "".join(f"{file} {number}\n" for number in range(1, count + 1)))(Path())


def test_one_document_of_so_many_is_kept_apart(project: Path) -> None:
    write(Path("prose"), "b.txt", 2 * APART)
    write(Path("prose"), "a.txt", APART - 1)
    write(Path("prose"), "notes.md", 3)
    read, apart = read_texts(Path("prose")), read_texts(Path("prose"), apart=True)
    assert list(read) == list(apart) == ["a.txt", "b.txt"]
    assert apart == {"a.txt": [], "b.txt": [f"b.txt {APART}", f"b.txt {2 * APART}"]}
    assert {name: len(texts) for name, texts in read.items()} == {"a.txt": APART - 1, "b.txt": 2 * APART - 2}
    assert not set(read["b.txt"]) & set(apart["b.txt"])


def planned(**changes: object) -> tuple[str, str]:
    use.write_config(Path(), {"backbones": {"encoder": use.backbone("bert", "wikiann", **changes)}})
    job = make_plan(use.CONFIG).backbones[0]
    return job.fingerprint, job.identity


def test_text_makes_another_backbone_and_its_folder_does_not(project: Path) -> None:
    plain = planned()
    assert planned(texts=[]) == plain
    write(Path("prose"), "a.txt", 3)
    first = planned(texts=["prose"])
    assert not set(first) & set(plain)
    Path("prose").rename("moved")
    assert planned(texts=["moved"]) == first
    write(Path("moved"), "a.txt", 4)
    assert not set(planned(texts=["moved"])) & set(first)
    assert planned(texts=["moved"], corpora={}) != planned(texts=["moved"])


def test_rates_are_searched_on_a_backbone_of_ones_own_text(project: Path) -> None:
    write(Path("prose"), "a.txt", 3)
    for texts, own in (([], True), (["prose"], False)):
        use.write_config(
            Path(), {"backbones": {"encoder": use.backbone("bert", "wikiann", texts=texts)}, "rates": None}
        )
        plan = make_plan(use.CONFIG)
        assert plan.backbones[0].own is own
        assert bool(plan.tunes) is not own


def test_text_that_changed_since_the_plan_is_refused(project: Path) -> None:
    write(Path("prose"), "a.txt", 3)
    planned(texts=["prose"])
    plan = make_plan(use.CONFIG)
    write(Path("prose"), "a.txt", 4)
    with pytest.raises(UserError, match="prose: the text of this folder changed while the run was at work; start the"):
        build_backbone(plan, plan.backbones[0])
    assert not Path(plan.backbones[0].folder).exists()
