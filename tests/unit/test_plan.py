"""A fingerprint is the hash of what can change a number: nothing more is computed anew than has to be."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.cli.asked import plan_asked
from harness.cli.main import main
from harness.contracts.adaptation import sizes_of
from harness.contracts.discover import methods, tasks
from harness.contracts.papers import papers
from harness.contracts.plan import Cell, Plan
from harness.contracts.plan_file import load_plan
from harness.parts.build import adaptations_of
from harness.plan import request
from harness.plan.entry import make_plan
from harness.plan.papers import named_on
from tests import project as use
from tests.project import CONFIG

Key = tuple[str, str, str, int, int]
METHODS = ["finetune", "lora", "bitfit", "dapt"]
TASKS = {
    "wikiann": {"budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test", "pt": "meta_test"}},
    "adaptsum_lm": {"budgets": [4], "domains": {"email": "meta_train", "dialog": "meta_test"}},
}
BACKBONES = {
    "encoder": use.backbone("bert", "wikiann"),
    "english_decoder": use.backbone("gpt2", "adaptsum_lm", max_length=192),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project of two tasks in the current folder."""
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    configure()
    return tmp_path


def configure(**changes: object) -> None:
    base = {"methods": METHODS, "tasks": TASKS, "backbones": BACKBONES}
    use.write_config(Path(), base | changes)


def cells() -> dict[Key, Cell]:
    """Every cell of the plan, by what it is."""
    return {(c.task, c.method, c.domain, c.budget, c.seed): c for c in make_plan(CONFIG).cells()}


def changed(before: dict[Key, Cell]) -> set[Key]:
    """The cells of `before` that the plan would compute again."""
    after = cells()
    assert before.keys() <= after.keys()
    return {key for key, cell in before.items() if after[key].fingerprint != cell.fingerprint}


def test_cells_are_methods_by_domains_by_budgets_by_seeds(project: Path) -> None:
    configure(seeds=[0, 1])
    assert len(cells()) == 4 * (2 + 1) * 2
    assert len({cell.folder for cell in cells().values()}) == len(cells())
    assert len({cell.fingerprint for cell in cells().values()}) == len(cells())


def test_papers_name_the_methods_of_each_task(project: Path) -> None:
    configure(methods="papers", leave_out=["tams"])
    planned = {task: {block.method for block in make_plan(CONFIG).blocks if block.task == task} for task in TASKS}
    rows = {"finetune", "zero_shot", "dapt", "mltd", "mltd_tarp", "tarp_dynamic", "tarp_tams", "tarp_norms", "norms"}
    # A claim alone names lora; bigrams are a control; tams is left out.
    assert planned["adaptsum_lm"] == rows | {"lora", "bigram"}
    assert {"primed_adapter", "primed_adapter_maml", "majority"} <= planned["wikiann"]  # a row, a claim's, a control
    assert not {"mltd", "adapter"} & planned["wikiann"]
    configure(tasks=TASKS | {"wikiann": TASKS["wikiann"] | {"methods": "papers"}})
    assert {block.method for block in make_plan(CONFIG).blocks if block.task == "adaptsum_lm"} <= set(METHODS)


def test_how_words_get_tags_makes_other_cells_and_what_is_learned_from_other_checkpoints(project: Path) -> None:
    configure(methods=[*METHODS, "multitask"])
    before, tagged = cells(), {key for key in cells() if key[0] == "wikiann"}
    prepared = {cell.checkpoint for cell in before.values() if cell.method == "multitask"}
    for labelling, words in (
        ({"decoding": "independent"}, "f1"),
        ({"decoding": "constrained"}, "f1 (decoding constrained)"),
        ({"pieces": "all", "decoding": "constrained"}, "f1 (decoding constrained; pieces all)"),
    ):
        tasks = TASKS | {"wikiann": TASKS["wikiann"] | {"labelling": labelling}}
        configure(methods=[*METHODS, "multitask"], tasks=tasks)
        assert changed(before) == (set() if words == "f1" else tagged)
        assert make_plan(CONFIG).tasks["wikiann"].metric_in_words == words
        kept = {cell.checkpoint for cell in cells().values() if cell.method == "multitask"} & prepared
        assert len(prepared - kept) == ("pieces" in labelling)
    configure(tasks=TASKS | {"adaptsum_lm": TASKS["adaptsum_lm"] | {"labelling": {"pieces": "all"}}})
    with pytest.raises(UserError, match=r"adaptsum_lm.labelling is .*; tasks of kind causal-lm give no tags"):
        make_plan(CONFIG)


def test_the_papers_name_every_method_of_the_project() -> None:
    """So a run of `methods: papers` with all tasks has each somewhere."""
    known = papers()
    every = {*tasks(), *(task for paper in known.values() for task in paper.tasks_to_come)}
    named = {name for task in every for name in named_on(task, known.values())}
    assert {name for name, method in methods().items() if not method.spec.control} <= named


def test_the_same_plan_is_made_twice(project: Path) -> None:
    assert make_plan(CONFIG) == make_plan(CONFIG)


def test_a_saved_plan_is_read_back_as_it_was(project: Path) -> None:
    plan = make_plan(CONFIG)
    plan.save()
    assert load_plan(plan.path) == plan


def test_a_plan_has_the_order_of_its_file(project: Path) -> None:
    """A job that this process does from the plan it made must read text in the order that a job of the DAG does."""
    domains = {"nl": "meta_train", "fi": "meta_dev", "en": "meta_train", "pt": "meta_test"}
    corpora = {"wikiann": ["meta_train"], "adaptsum_lm": ["meta_train"]}
    mixed = use.backbone("gpt2", "wikiann", corpora=corpora, max_length=192)
    configure(
        tasks={"wikiann": {"budgets": [4], "domains": domains}, "adaptsum_lm": TASKS["adaptsum_lm"]},
        backbones=BACKBONES | {"english_decoder": mixed},
    )
    plan = make_plan(CONFIG)
    plan.save()
    assert json.dumps(asdict(plan)) == json.dumps(asdict(load_plan(plan.path)))


def test_a_plan_that_is_saved_again_keeps_its_time(project: Path) -> None:
    plan = make_plan(CONFIG)
    plan.save()
    before = plan.path.stat().st_mtime_ns
    plan.save()
    assert plan.path.stat().st_mtime_ns == before


@pytest.mark.parametrize("more", [{"seeds": [0, 5]}, {"seeds": [5, 0]}], ids=["after", "before"])
def test_a_new_seed_keeps_the_old_cells(project: Path, more: dict[str, object]) -> None:
    before = cells()
    configure(**more)
    assert not changed(before)
    assert len(cells()) == 2 * len(before)


def test_a_new_budget_keeps_the_old_cells(project: Path) -> None:
    before = cells()
    configure(tasks={name: task | {"budgets": [2, 4]} for name, task in TASKS.items()})
    assert not changed(before)
    assert len(cells()) == 2 * len(before)


def test_a_new_target_domain_keeps_the_old_cells(project: Path) -> None:
    before = cells()
    domains = {"en": "meta_train", "nl": "meta_test", "pt": "meta_test", "fi": "meta_test"}
    configure(tasks=TASKS | {"wikiann": {"budgets": [4], "domains": domains}})
    assert not changed(before)


def test_a_new_method_keeps_the_old_cells(project: Path) -> None:
    before = cells()
    configure(methods=[*METHODS, "adapter"])
    assert not changed(before)


def test_editing_a_methods_code_changes_its_cells_alone(project: Path) -> None:
    before = cells()
    with open("methods/lora/method.py", "a") as file:
        file.write("# another thought\n")
    assert changed(before) == {key for key in before if key[1] == "lora"}


@pytest.mark.parametrize(
    ("old", "new"), [("rank: 8", "rank: 4"), ("steps: 60", "steps: 50"), ("lr: 3.0e-3", "lr: 4.0e-3")]
)
def test_editing_a_hyperparameter_changes_the_methods_cells(project: Path, old: str, new: str) -> None:
    before = cells()
    use.edit("methods/lora/method.yaml", old, new)(project)
    assert changed(before) == {key for key in before if key[1] == "lora"}


def test_editing_a_preparation_changes_the_cells_that_use_it(project: Path) -> None:
    before = cells()
    use.edit("methods/dapt/method.yaml", "dapt: {steps: ", "dapt: {steps: 1")(project)
    assert changed(before) == {key for key in before if key[1] == "dapt"}


@pytest.mark.parametrize("key", ["label", "summary", "paper", "search"])
def test_editing_what_a_method_is_called_changes_no_cell(project: Path, key: str) -> None:
    before = cells()
    file = project / "methods" / "lora" / "method.yaml"
    kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{key}:")]
    new = {
        "label": "label: Other",
        "summary": "summary: Other",
        "paper": "paper: other",
        "search": "search: {lr: [1.0e-9, 1]}",
    }
    file.write_text("\n".join([*kept, new[key]]) + "\n")
    assert not changed(before)


def test_a_tuned_rate_changes_the_tasks_cells_of_its_method(project: Path) -> None:
    before = cells()
    its = make_plan(CONFIG).backbone("encoder").identity
    entry = {"train": {"lr": 0.5}, "source": "embedded", "backbone": "encoder", "identity": its, "domains": ["it"]}
    entry |= {"budgets": [4], "seeds": 1, "trials": {}}
    use.text("methods/lora/tuned.yaml", json.dumps({"wikiann": [entry]}))(project)
    assert changed(before) == {key for key in before if key[:2] == ("wikiann", "lora")}


def test_a_copy_of_a_method_adds_cells_and_leaves_the_others(project: Path) -> None:
    before = cells()
    shutil.copytree("methods/lora", "methods/mine")
    configure(methods=[*METHODS, "mine"])
    assert not changed(before)
    new = {key: cell for key, cell in cells().items() if key not in before}
    assert {key[1] for key in new} == {"mine"}
    assert {cell.folder for cell in new.values()}.isdisjoint(cell.folder for cell in before.values())


def test_a_method_that_is_not_asked_for_changes_nothing(project: Path) -> None:
    before = cells()
    with open("methods/adapter/method.py", "a") as file:
        file.write("# another thought\n")
    assert not changed(before)


@pytest.mark.parametrize("file", ["embedded/nl.yaml", "task.py"])
def test_editing_a_task_changes_its_cells_alone(project: Path, file: str) -> None:
    before = cells()
    with open(project / "tasks" / "wikiann" / file, "a") as task:
        task.write("# another thought\n")
    assert changed(before) == {key for key in before if key[0] == "wikiann"}


def test_editing_what_a_task_is_called_changes_no_cell(project: Path) -> None:
    before = cells()
    use.edit("tasks/wikiann/task.yaml", "label: WikiAnn", "label: Names in WikiAnn")(project)
    assert not changed(before)


def test_editing_a_backbone_changes_the_cells_that_begin_with_it(project: Path) -> None:
    before = cells()
    configure(backbones=BACKBONES | {"encoder": use.backbone("bert", "wikiann", steps=2)})
    assert changed(before) == {key for key in before if key[0] == "wikiann"}


def test_a_new_protocol_changes_every_cell(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cells()
    monkeypatch.setattr(request, "PROTOCOL", request.PROTOCOL + 1)
    assert changed(before) == set(before)


def test_only_another_precision_than_float32_changes_cells(project: Path) -> None:
    configure(methods=[*METHODS, "majority"])
    before = cells()
    configure(methods=[*METHODS, "majority"], precision="float32")
    assert not changed(before)
    configure(methods=[*METHODS, "majority"], precision="bfloat16")
    assert changed(before) == {key for key, cell in before.items() if cell.checkpoint}  # a control multiplies nothing


def test_methods_that_share_a_preparation_share_its_checkpoints(project: Path) -> None:
    shutil.copytree("methods/dapt", "methods/mine")
    use.edit("methods/mine/method.yaml", "lr: 1.0e-3", "lr: 2.0e-3")(project)
    configure(methods=["dapt", "mine"])
    plan: Plan = make_plan(CONFIG)
    assert len(plan.prepares) == len(plan.tasks)
    assert {cell.checkpoint for cell in plan.block("wikiann", "dapt").cells} == {
        cell.checkpoint for cell in plan.block("wikiann", "mine").cells
    }


def test_only_keeps_the_cells_asked_for(project: Path) -> None:
    only = {"task": ["wikiann"], "method": ["lora"], "domain": ["nl"]}
    found = [(c.task, c.method, c.domain) for c in make_plan(CONFIG, only=only).cells()]
    assert found == [("wikiann", "lora", "nl")]
    whole = cells()
    for cell in make_plan(CONFIG, only=only).cells():
        assert whole[cell.task, cell.method, cell.domain, cell.budget, cell.seed] == cell


@pytest.mark.parametrize("level", ["run", "task", "method"])
def test_a_wanted_share_changes_the_cells_of_methods_with_a_size(project: Path, level: str) -> None:
    before = cells()
    if level == "run":
        configure(match_parameters=0.01)
    elif level == "task":
        configure(tasks=TASKS | {"wikiann": TASKS["wikiann"] | {"match_parameters": 0.01}})
    else:
        use.edit("methods/lora/method.yaml", "adapt:", "match_parameters: 0.01\nadapt:")(project)
    tasks = ("wikiann",) if level == "task" else ("wikiann", "adaptsum_lm")
    assert changed(before) == {key for key in before if key[1] == "lora" and key[0] in tasks}
    blocks = {(block.task, block.method): block for block in make_plan(CONFIG).blocks}
    assert (blocks["wikiann", "lora"].match_parameters, blocks["wikiann", "lora"].sized_by) == (0.01, ["rank"])
    assert blocks["wikiann", "finetune"].match_parameters == (None if level == "method" else 0.01)
    assert blocks["wikiann", "finetune"].sized_by == []


def test_another_wanted_share_is_another_cell(project: Path) -> None:
    configure(match_parameters=0.01)
    before = cells()
    configure(match_parameters=0.02)
    assert changed(before) == {key for key in before if key[1] == "lora"}


def test_the_nearer_word_about_a_share_counts(project: Path) -> None:
    use.edit("methods/lora/method.yaml", "adapt:", "match_parameters: 0.5\nadapt:")(project)
    configure(match_parameters=0.01, tasks=TASKS | {"wikiann": TASKS["wikiann"] | {"match_parameters": 0.02}})
    shares = {block.task: block.match_parameters for block in make_plan(CONFIG).blocks if block.method == "lora"}
    assert shares == {"wikiann": 0.02, "adaptsum_lm": 0.01}


def test_a_configuration_extends_the_file_beside_it(project: Path) -> None:
    before = cells()
    use.text("more.yaml", f"extends: {CONFIG}\nseeds: [0, 1]\n")(project)
    plan = make_plan("more.yaml")
    assert plan.seeds == [0, 1]
    assert {cell.fingerprint for cell in before.values()} < {cell.fingerprint for cell in plan.cells()}


def test_matched_is_every_unprepared_method_with_a_size_at_one_percent() -> None:
    plan, default = make_plan("config/matched.yaml"), make_plan("config/default.yaml").config
    changed = {"output", "methods", "match_parameters", "leave_out"}
    assert {key for key in plan.config if plan.config[key] != default[key]} == changed
    assert plan.config["match_parameters"] == 0.01
    kinds = {task.kind for task in plan.tasks.values()}
    able = [method for method in methods().values() if not method.spec.kinds or kinds & set(method.spec.kinds)]
    if not any(task.generates for task in plan.tasks.values() if task.kind == "dialogue"):
        able = [method for method in able if not method.spec.texts_alone]
    unprepared = [method for method in able if "none" in method.spec.prepare]
    beside = {method.id for method in unprepared if method.spec.control} | {"finetune"}
    assert set(plan.methods) == beside | {method.id for method in unprepared if sizes_of(adaptations_of(method))}


def test_the_plan_shows_what_is_matched(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(match_parameters=0.015)
    assert main(["plan", "--configfile", CONFIG]) == 0
    lines = {line.split()[2]: line for line in capsys.readouterr().out.splitlines() if line.startswith("adapt ")}
    assert lines["lora"].endswith("rank for 1.5% trained")
    assert lines["finetune"].endswith("no size to match")


def test_any_cell_that_the_data_allow_can_be_asked_for(project: Path) -> None:
    """What the run does not plan has the names and fingerprints that it would have if the run planned it."""

    def asked_for(**axes: Any) -> list[Cell]:
        options = dict.fromkeys(("task", "backbone", "method", "domain", "budget", "seed")) | axes
        return list(plan_asked(Namespace(configfile=CONFIG, **options)).cells())

    (cell,) = asked_for(task="wikiann", method="bitfit", domain="nl", budget=7, seed=12)
    assert (cell.method, cell.domain, cell.budget, cell.seed) == ("bitfit", "nl", 7, 12)
    tasks = {"wikiann": TASKS["wikiann"] | {"budgets": [4, 7]}}
    configure(tasks=TASKS | tasks, seeds=[0, 12])
    assert cell in make_plan(CONFIG).cells()
    assert len(asked_for(task="wikiann", method="bitfit")) == 8
    for axes, told in (
        ({"task": "wikian", "method": "lora"}, "--task is 'wikian'; did you mean 'wikiann'"),
        ({"task": "wikiann", "method": "lorra"}, "--method is 'lorra'; did you mean 'lora'"),
        ({"task": "wikiann", "method": "lora", "domain": "fi"}, "--domain is 'fi'; use one of nl, pt"),
        ({"task": "wikiann", "method": "lead"}, "it is not for token-classification"),
    ):
        with pytest.raises(UserError, match=told):
            asked_for(**axes)
