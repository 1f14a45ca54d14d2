"""What a method may not ask of PEFT is refused in one sentence before any compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.base.errors import UserError
from harness.plan.entry import make_plan
from tests.project import CONFIG, copy_project, write_config

ADALORA = {"type": "ADALORA"}


def plan_of(folder: Path, monkeypatch: pytest.MonkeyPatch, adapt: Any, **more: Any) -> Any:
    """The plan of a project with one method on PEFT's tuner."""
    copy_project(folder)
    spec = {"label": "mine", "summary": "One of PEFT's.", "adapt": {"peft": adapt}, "train": {"steps": 40}, **more}
    (folder / "methods" / "mine").mkdir()
    (folder / "methods" / "mine" / "method.yaml").write_text(yaml.safe_dump(spec))
    write_config(folder, {"methods": ["mine"]})
    monkeypatch.chdir(folder)
    return make_plan(CONFIG)


@pytest.mark.parametrize(
    ("adapt", "said"),
    [
        ({"type": "LORAS"}, "adapt.peft.type is 'LORAS'; there is no such tuner in PEFT; use one of"),
        ({"type": "LORA", "options": {"rank": 4}}, "there is no option 'rank' of PEFT's LORA; use some of"),
        ({"type": "LORA", "options": {"use_dorra": True}}, "PEFT's LORA; did you mean 'use_dora'?"),
        ({"type": "LORA", "options": {"task_type": "CAUSAL_LM"}}, "the harness sets 'task_type'; remove it"),
        ({"type": "LORA", "options": {"init_lora_weights": "eva"}}, "the start 'eva' takes a pass of its own"),
        ({**ADALORA, "options": {"total_step": 100}}, "on wikiann adapt.peft.options.total_step is 100; the training"),
        ({**ADALORA, "options": {"tinit": 40}}, "on wikiann adapt.peft.options.tinit is 40; with tfinal 0"),
    ],
)
def test_the_sentence_names_the_option_and_the_mend(
    adapt: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError) as error:
        plan_of(tmp_path, monkeypatch, adapt)
    assert said in str(error.value)
    assert f"{Path('methods/mine/method.yaml')}: " in str(error.value)
    assert "\n" not in str(error.value)


def test_the_task_s_own_steps_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapt = {**ADALORA, "options": {"total_step": 30}}
    plan_of(tmp_path, monkeypatch, adapt)
    run = {"budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}, "train": {"steps": 20}}
    write_config(tmp_path, {"methods": ["mine"], "tasks": {"wikiann": run}})
    with pytest.raises(UserError, match=r"total_step is 30; the training takes 20 steps"):
        make_plan(CONFIG)


@pytest.mark.parametrize("prepare", [{"meta": {}}, {"multitask": {"updates": "everything"}}])
def test_no_preparation_trains_a_tuner_of_pefts(
    prepare: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        UserError, match=r"it would leave out Peft\.after_step; use a preparation of the backbone alone"
    ):
        plan_of(tmp_path, monkeypatch, {"type": "LORA"}, prepare=prepare)
