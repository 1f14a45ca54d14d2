"""The backbones that stand in the repository are what their recipes make, and have read no test example."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from statistics import fmean

import pytest
import yaml
from safetensors import safe_open

from harness.backbone.card import CARD, read_card
from harness.base.files import read_lines
from harness.cli.main import main
from harness.contracts.discover import tasks
from harness.contracts.plan import Plan
from harness.data.task import Task, load_task
from harness.data.texts import read_texts
from harness.plan.recipes import PINNED, recipe_plan, recipes
from tests.project import ROOT, copy_project

NAMES = sorted(folder.name for folder in (ROOT / PINNED).iterdir() if folder.is_dir())
LARGEST = 5 * 2**20  # bytes of a checkpoint's weights
every = pytest.mark.parametrize("name", NAMES)


def shapes(folder: Path) -> dict[str, list[int]]:
    with safe_open(folder / "model.safetensors", "numpy") as weights:
        return {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118 - no mapping


def test_every_pinned_backbone_has_a_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert recipes() == NAMES


@every
def test_it_is_what_its_recipe_says_today(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of a recipe or of an embedded task's text: `headstart pretrain` it anew, and tune."""
    monkeypatch.chdir(ROOT)
    card = read_card(ROOT / PINNED / name)
    assert card is not None
    assert card.identity == recipe_plan(name).backbones[0].identity
    assert (ROOT / PINNED / name / "model.safetensors").stat().st_size <= LARGEST
    assert str(ROOT) not in (ROOT / PINNED / name / "config.json").read_text()


@every
def test_a_step_of_the_recipe_makes_the_same_shapes_and_tokenizer_of_text_without_test_examples(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    pinned, again = ROOT / PINNED / name, Path(PINNED / name)
    again.mkdir(parents=True)
    spec = yaml.safe_load((pinned / "recipe.yaml").read_text())
    (again / "recipe.yaml").write_text(yaml.safe_dump(spec | {"steps": 1}))
    for folder in spec.get("texts", []):
        shutil.copytree(ROOT / folder, folder)
    assert main(["pretrain", name]) == 0
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (again / file).read_text() == (pinned / file).read_text(), file
    assert shapes(again) == shapes(pinned)
    made, kept = (yaml.safe_load((folder / CARD).read_text()) for folder in (again, pinned))
    assert made["texts"] == kept["texts"]
    assert kept["held_out"].keys() == made["held_out"].keys()
    losses = [[loss for task in card["held_out"].values() for loss in task.values()] for card in (kept, made)]
    assert fmean(losses[0]) < fmean(losses[1])  # a domain alone may be worse: of it another form of text was read
    plan = recipe_plan(name)
    if plan.data:
        check_no_test_example_is_read(plan)
    for folder in plan.backbones[0].spec["texts"]:
        check_no_test_sentence_stands_in(Path(folder), name)


def check_no_test_example_is_read(plan: Plan) -> None:
    """The texts of a plan whose data stand, and the test examples beside them."""
    read, kept = set(), set()
    for job in plan.data:
        task = load_task(tasks()[job.task])
        for folder in job.folders.values():
            kept |= {task.text(example) for example in read_lines(Path(folder) / "test.jsonl")}
            if folder in plan.backbones[0].corpora[job.task]:
                read |= {task.text(example) for example in read_lines(Path(folder) / "unlabeled.jsonl")}
    assert read
    assert kept
    assert not read & kept


def check_no_test_sentence_stands_in(folder: Path, backbone: str) -> None:
    """A folder of text, and the sentences of the test examples of all tasks that are scored on the backbone."""
    sentences = {sentence for texts in read_texts(folder).values() for text in texts for sentence in split(text)}
    assert len(sentences) > 1000
    scored = [task for found in tasks().values() if (task := load_task(found)).spec.backbone == backbone]
    kept = {sentence for task in scored for text in texts_of_test(task) for sentence in split(text)}
    assert len(kept) > 1000
    assert not sentences & kept


def split(text: str) -> list[str]:
    """The sentences of a text that are long enough to be somebody's own."""
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if len(sentence.split()) > 4]


def texts_of_test(task: Task) -> list[str]:
    """The test examples of all domains of an embedded task."""
    source = task.spec.sources["embedded"]
    read = [task.read_embedded(domain, source.sizes) for domain in source.domains]
    return [task.text(example) for splits in read for example in splits["test"]]
