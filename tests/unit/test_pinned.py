"""A pinned backbone is known by its card; a recipe says what was trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.backbone.card import CARD, Card, read_card, write_card
from harness.base.errors import UserError
from harness.base.fingerprint import hash_file
from harness.contracts.plan import BackboneJob
from harness.plan.entry import make_plan
from harness.plan.recipes import recipe_plan, recipes
from tests import project as use

PROVENANCE = {"commit": None}


def pinned(folder: Path, identity: str = "abc") -> Path:
    """A checkpoint folder with a card."""
    checkpoint = folder / "backbones" / "encoder"
    use.checkpoint("bert")(folder)
    checkpoint.parent.mkdir()
    (folder / "model").rename(checkpoint)
    card = Card(
        identity=identity,
        sha256=hash_file(checkpoint / "model.safetensors"),
        parameters=1,
        texts={},
        held_out={},
        seconds=1.0,
        cpu_seconds=1.0,
        provenance=PROVENANCE,
    )
    write_card(checkpoint, "encoder", card)
    return checkpoint


def planned(path: str) -> BackboneJob:
    use.write_config(Path(), {"rates": None, "backbones": {"encoder": {"source": "local", "path": path}}})
    return make_plan(use.CONFIG).backbones[0]


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    checkpoint = pinned(tmp_path)
    assert read_card(checkpoint) == Card(**yaml.safe_load((checkpoint / CARD).read_text()))
    (checkpoint / CARD).unlink()
    assert read_card(checkpoint) is None


def test_weights_that_are_not_the_cards_are_refused(tmp_path: Path) -> None:
    checkpoint = pinned(tmp_path)
    with open(checkpoint / "model.safetensors", "ab") as file:
        file.write(b" ")
    with pytest.raises(UserError, match=r"card.yaml: line \d+: sha256 is '\w+'; the weights beside it have"):
        read_card(checkpoint)


def test_a_pinned_backbone_has_the_rates_of_its_recipe_wherever_it_stands(project: Path) -> None:
    pinned(project)
    job = planned("backbones/encoder")
    assert (job.identity, job.own) == ("abc", True)
    assert not make_plan(use.CONFIG).tunes  # as for a backbone that the run pretrains on embedded text
    (project / "backbones" / "encoder").rename(project / "elsewhere")
    assert planned("elsewhere").identity == "abc"
    (project / "elsewhere" / CARD).unlink()
    job = planned("elsewhere")
    assert (job.identity == "abc", job.own) == (False, False)
    assert make_plan(use.CONFIG).tunes


def recipe(**changes: object) -> Path:
    """A recipe in the current folder, with changes."""
    spec = use.backbone("bert", "wikiann") | changes
    del spec["source"]
    file = Path("backbones/mine/recipe.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(spec))
    return file


def test_a_recipe_trains_what_a_run_with_the_same_entry_would(project: Path) -> None:
    recipe()
    use.write_config(project, {"tasks": {"wikiann": {"budgets": [4]}}})
    ours, theirs = recipe_plan("mine").backbones[0], make_plan(use.CONFIG).backbones[0]
    assert ours.identity == theirs.identity
    assert ours.fingerprint == theirs.fingerprint
    recipe(width=32)
    assert recipe_plan("mine").backbones[0].identity != ours.identity


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"width": 2}, "width is 2"),
        ({"architecture": "brt"}, "architecture is 'brt'"),
        ({"corpora": {"wikian": ["meta_train"]}}, "corpora is 'wikian'"),
        ({"layer": 2}, "unknown key 'layer' .*did you mean 'layers'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_recipe_is_refused(project: Path, changes: dict[str, object], told: str) -> None:
    recipe(**changes)
    with pytest.raises(UserError, match=rf"backbones/mine/recipe.yaml: .*{told}"):
        recipe_plan("mine")


def test_a_recipe_that_does_not_exist_is_refused(project: Path) -> None:
    recipe()
    assert recipes() == ["mine"]
    with pytest.raises(UserError, match=r"backbones/yours/recipe.yaml: there is no such recipe; use one of mine"):
        recipe_plan("yours")
