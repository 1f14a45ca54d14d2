"""Settings of methods in a configuration: whose word counts where several say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contracts.plan import Plan
from harness.plan.entry import make_plan
from tests import project as use

TASK = {"budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}}
BY_WORD: dict[str, dict[str, Any]] = {
    "run": {"train": {"lr": 0.1}},
    "run, method": {"train": {"lora": {"lr": 0.2}}},
    "task": {"tasks": {"wikiann": TASK | {"train": {"lr": 0.3}}}},
    "task, method": {"tasks": {"wikiann": TASK | {"train": {"lr": 0.3, "lora": {"lr": 0.4}}}}},
}


def planned(**changes: Any) -> Plan:
    use.write_config(Path(), {"methods": ["finetune", "lora", "dapt"]} | changes)
    return make_plan(use.CONFIG)


def rates(plan: Plan) -> dict[str, float]:
    return {block.method: block.train["lr"] for block in plan.blocks}


@pytest.mark.parametrize("last", range(1, len(BY_WORD) + 1))
def test_the_nearer_word_about_a_rate_counts(last: int, project: Path) -> None:
    own = rates(planned())
    changes: dict[str, Any] = {}
    for word in list(BY_WORD)[:last]:
        changes = {key: changes.get(key, {}) | value for key, value in (changes | BY_WORD[word]).items()}
    found = rates(planned(**changes))
    others = 0.1 if last < 3 else 0.3
    assert (own["lora"], own["finetune"]) == (3e-3, 1e-3)
    assert found == {"lora": last / 10, "finetune": others, "dapt": others}


def test_a_method_keeps_what_nobody_says_of_it(project: Path) -> None:
    plan = planned(train={"lora": {"steps": 7}})
    steps = {block.method: (block.train["steps"], block.train["lr"]) for block in plan.blocks}
    assert steps["lora"] == (7, 3e-3)
    assert steps["finetune"] == (60, 1e-3)


@pytest.mark.parametrize(
    ("run", "task", "expected"),
    [
        ({"multitask": {"steps": 2}}, {}, {"multitask": 2, "multitask_adapter": 2}),
        ({"multitask": {"steps": 2}, "multitask_adapter": {"steps": 3}}, {}, {"multitask": 2, "multitask_adapter": 3}),
        ({"multitask_adapter": {"steps": 3}}, {"multitask": {"steps": 4}}, {"multitask": 4, "multitask_adapter": 4}),
        ({}, {"multitask": {"steps": 4}, "multitask_adapter": {"steps": 5}}, {"multitask": 4, "multitask_adapter": 5}),
    ],
    ids=["run", "run and a method", "task before the run's method", "task and a method"],
)
def test_the_nearer_word_about_a_preparation_counts(
    run: dict[str, Any], task: dict[str, Any], expected: dict[str, int], project: Path
) -> None:
    plan = planned(methods=["multitask", "multitask_adapter"], prepare=run, tasks={"wikiann": TASK | {"prepare": task}})
    whose = {job.done: job.options["steps"] for job in plan.prepares}
    found = {block.method: whose[done] for block in plan.blocks for done in block.prepared_by}
    assert found == expected
