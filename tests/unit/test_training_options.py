"""Options of a training in a configuration: whose word about its length counts, and what is refused before compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.contracts.method import Train
from harness.contracts.plan import Plan
from harness.contracts.plan_file import load_plan
from harness.plan.entry import make_plan
from tests import project as use

TASK = {"budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}}


def planned(train: dict[str, Any], task: dict[str, Any] | None = None, **changes: Any) -> Plan:
    tasks = {"wikiann": TASK | {"train": task or {}}}
    use.write_config(Path(), {"methods": ["finetune", "lora"], "train": train, "tasks": tasks} | changes)
    return make_plan(use.CONFIG)


def lengths(plan: Plan) -> dict[str, tuple[int | None, int | None]]:
    return {block.method: (block.train.get("steps"), block.train.get("epochs")) for block in plan.blocks}


def test_the_nearer_word_about_a_length_counts_in_steps_or_epochs(project: Path) -> None:
    assert lengths(planned({"epochs": 3})) == {"finetune": (None, 3), "lora": (None, 3)}
    assert lengths(planned({"epochs": 3, "lora": {"steps": 7}})) == {"finetune": (None, 3), "lora": (7, None)}
    assert lengths(planned({"steps": 5, "lora": {"epochs": 2}}, {"epochs": 4})) == dict.fromkeys(
        ["finetune", "lora"], (None, 4)
    )


def test_what_is_not_used_is_not_told() -> None:
    later = {"epochs", "accumulate", "betas", "power", "label_smoothing", "patience", "check_every", "dev"}
    assert set(Train().model_dump()) == set(Train.model_fields) - later
    assert Train(warmup=0).model_dump_json() == Train(warmup=0.0).model_dump_json()
    assert "steps" not in Train(epochs=2).model_dump()
    assert "lr" not in Train(epochs=2).model_dump(exclude={"lr"})


def test_used_options_change_the_names_of_cells_alone(project: Path) -> None:
    plain, told = planned({}), planned({"label_smoothing": 0.1, "warmup": 3, "betas": [0.9, 0.98]})
    assert plain.data == told.data
    assert {cell.fingerprint for cell in plain.cells()}.isdisjoint({cell.fingerprint for cell in told.cells()})
    told.save()
    assert Train(**load_plan(told.path).blocks[0].train) == Train(**told.blocks[0].train)
    assert "needs_dev" not in told.path.read_text()


def test_a_dev_split_is_seen_to_exist_where_it_is_looked_at(project: Path) -> None:
    plan = planned({"patience": 2, "dev": "split"})
    assert plan.data[0].needs_dev
    assert plan.data[0].done != planned({"patience": 2}).data[0].done
    assert json.loads(json.dumps(plan.blocks[0].train))["dev"] == "split"


@pytest.mark.parametrize(
    ("train", "field", "mend"),
    [
        ({"steps": 4, "epochs": 2}, "train", "remove one of them"),
        ({"epochs": 0}, "train.epochs", "greater than or equal to 1"),
        ({"warmup": 1.5}, "train.warmup", "a whole number of steps"),
        ({"warmup": 60}, "train.warmup", "takes 60 steps"),
        ({"power": 2.0}, "train.power", "schedule: polynomial"),
        ({"betas": [0.9, 0.98], "optimizer": "sgd"}, "train.betas", "optimizer: adamw"),
        ({"betas": [0.9, 1.0]}, "train.betas.1", "less than 1"),
        ({"label_smoothing": 1.0}, "train.label_smoothing", "less than 1"),
        ({"check_every": 5}, "train.check_every", "without `patience`"),
        ({"dev": "split"}, "train.dev", "without `patience`"),
        ({"dev": "test", "patience": 1}, "train.dev", "'budget' or 'split'"),
        ({"schedule": "sqrt"}, "train.schedule", "inverse_sqrt"),
        ({"accumulate": 0}, "train.accumulate", "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_refused(train: dict[str, Any], field: str, mend: str, project: Path) -> None:
    with pytest.raises(UserError) as told:
        planned(train)
    assert f" {field} is " in str(told.value)
    assert mend in str(told.value)
    assert "run.yaml" in str(told.value)


def test_early_stopping_needs_a_budget_of_which_something_can_be_held_out(project: Path) -> None:
    few = {"wikiann": TASK | {"budgets": [2, 8]}}
    with pytest.raises(UserError, match=r"tasks.wikiann.budgets is 2; `patience` holds out one of 4 examples"):
        planned({"patience": 1}, tasks=few)
    assert planned({"patience": 1, "dev": "split"}, tasks=few).data[0].needs_dev
