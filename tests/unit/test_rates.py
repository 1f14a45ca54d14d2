"""Rates belong to a backbone: where they come from, what is searched, and what says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.base.errors import UserError
from harness.contracts.discover import methods
from harness.contracts.plan import Block, Plan, TuneJob
from harness.contracts.plan_file import load_plan
from harness.plan import request
from harness.plan.entry import make_plan
from tests import project as use

DOMAINS = {"en": "meta_train", "it": "meta_dev", "nl": "meta_test"}
TASK: dict[str, Any] = {"budgets": [16, 64, 100], "domains": DOMAINS}
LOCAL = {"encoder": {"source": "local", "path": "model"}}
METHODS = ["finetune", "lora", "dapt", "majority"]


def planned(**changes: Any) -> Plan:
    use.write_config(
        Path(), {"rates": None, "methods": METHODS, "tasks": {"wikiann": TASK}, "backbones": LOCAL} | changes
    )
    return make_plan(use.CONFIG)


def origins(plan: Plan) -> dict[str, str]:
    return {block.method: block.rates for block in plan.blocks}


def tuned(plan: Plan, **changes: Any) -> None:
    """Write a rate of LoRA that was tuned on the plan's backbone."""
    backbone = plan.backbones[0]
    entry = {"train": {"lr": 0.5}, "source": "embedded", "backbone": "another name", "identity": backbone.identity}
    entry |= {"domains": ["it"], "budgets": [16], "seeds": 2, "trials": {}} | changes
    Path("methods/lora/tuned.yaml").write_text(yaml.safe_dump({"wikiann": [entry]}))


def lora(plan: Plan) -> tuple[str, float]:
    block = plan.block("wikiann", "lora")
    return block.rates, block.train["lr"]


def test_rates_are_searched_on_a_backbone_that_is_not_the_projects_own(local_project: Path) -> None:
    plan = planned()
    assert origins(plan) == {"finetune": "searched", "lora": "searched", "dapt": "searched", "majority": "none"}
    assert {cell.rates_from for cell in plan.block("wikiann", "majority").cells} == {None}


def test_they_are_not_on_one_that_is_pretrained_on_embedded_text(local_project: Path) -> None:
    own = {"encoder": use.backbone("bert", "wikiann")}
    plan = planned(backbones=own)
    assert origins(plan) == {"finetune": "method", "lora": "method", "dapt": "method", "majority": "none"}
    assert not plan.tunes
    assert (
        origins(planned(backbones={"encoder": use.backbone("bert", "wikiann")}, rates="search"))["lora"] == "searched"
    )


def test_the_nearer_word_about_rates_counts(local_project: Path) -> None:
    assert origins(planned(rates="given"))["lora"] == "method"
    assert origins(planned(rates="given", tasks={"wikiann": TASK | {"rates": "search"}}))["lora"] == "searched"


@pytest.mark.parametrize("where", ["run", "task"])
def test_a_rate_that_the_configuration_gives_is_not_searched(where: str, local_project: Path) -> None:
    said = {"train": {"lora": {"lr": 0.25}}}
    plan = planned(**said) if where == "run" else planned(tasks={"wikiann": TASK | said})
    assert lora(plan) == ("given", 0.25)
    assert origins(plan)["finetune"] == "searched"


def test_what_was_tuned_is_used_on_its_backbone_whatever_that_is_called(local_project: Path) -> None:
    tuned(planned())
    plan = planned()
    assert lora(plan) == ("tuned", 0.5)
    assert "lora" not in {job.method for job in plan.tunes}
    assert lora(planned(train={"lora": {"lr": 0.25}})) == ("given", 0.25)


@pytest.mark.parametrize("other", [{"identity": "0" * 16}, {"source": "local"}], ids=["backbone", "source"])
def test_it_is_used_nowhere_else(other: dict[str, Any], local_project: Path) -> None:
    tuned(planned(), **other)
    assert lora(planned())[0] == "searched"
    assert lora(planned(rates="given")) == ("method", methods()["lora"].spec.train.lr)


def test_another_checkpoint_under_the_same_name_has_other_rates(local_project: Path) -> None:
    tuned(planned())
    use.text("model/config.json", '{"model_type": "bert", "more": 1}')(local_project)
    assert lora(planned())[0] == "searched"


def test_a_backbone_is_the_same_after_an_edit_of_code_and_under_a_new_protocol(
    local_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbones = {"encoder": use.backbone("bert", "wikiann")}
    before = planned(backbones=backbones).backbones[0]
    monkeypatch.setattr(request, "PROTOCOL", request.PROTOCOL + 1)
    with open("tasks/wikiann/task.py", "a") as file:
        file.write("# another thought\n")
    after = planned(backbones=backbones).backbones[0]
    assert after.fingerprint != before.fingerprint
    assert after.identity == before.identity
    with open("tasks/wikiann/embedded/en.yaml", "a") as file:
        file.write("# another text\n")
    assert planned(backbones=backbones).backbones[0].identity != before.identity
    other = planned(backbones={"encoder": use.backbone("bert", "wikiann", width=32)}).backbones[0]
    assert other.identity != before.identity


def test_every_rate_that_is_stored_was_tuned_on_a_backbone_of_the_default() -> None:
    """After a change of a default backbone or of its text: tune anew, or see that the rates still suit it."""
    own = {job.identity for job in make_plan("config/default.yaml").backbones}
    stored = {
        (name, task, entry.identity)
        for name, its in methods().items()
        for task in its.tuned
        for entry in its.tuned[task]
    }
    assert stored
    assert {identity for *_, identity in stored} <= own


def test_the_default_searches_nothing_and_all_but_the_prepared_rates_were_tuned() -> None:
    """On the tasks that were tuned for at all; what follows a preparation of the default is still method.yaml's."""
    plan, tuned = make_plan("config/default.yaml"), set(methods()["finetune"].tuned)
    assert not plan.tunes
    assert tuned <= set(plan.tasks)
    origins = {block.rates for block in plan.blocks if block.task in tuned and not block.prepared_by}
    assert origins == {"tuned", "none"}


def test_a_search_serves_the_budgets_of_a_class(local_project: Path) -> None:
    plan = planned()
    jobs = [job for job in plan.tunes if job.method == "lora"]
    assert [(job.budgets, job.reaches) for job in jobs] == [([10], [16, 64]), ([100], [100])]
    by_budget = {cell.budget: cell.rates_from for cell in plan.block("wikiann", "lora").cells}
    assert by_budget == {16: jobs[0].done, 64: jobs[0].done, 100: jobs[1].done}


def test_a_search_is_on_the_meta_dev_domains_with_the_same_seeds_for_every_method(local_project: Path) -> None:
    plan = planned(seeds=[5])
    places = {tuple((place.domain, place.seed) for place in job.places) for job in plan.tunes}
    assert places == {(("it", 0), ("it", 1))}
    assert not any(job.held_out for job in plan.tunes)


def test_without_such_a_domain_it_is_on_the_targets_own_examples(local_project: Path) -> None:
    domains = {"en": "meta_train", "nl": "meta_test", "pt": "meta_test"}
    plan = planned(tasks={"wikiann": TASK | {"domains": domains}})
    assert {place.domain for job in plan.tunes for place in job.places} == {"nl", "pt"}
    assert all(job.held_out for job in plan.tunes)
    told = (
        "tasks.wikiann.budgets is 3; no rate can be searched on fewer than 4 examples; give a domain the role meta_dev"
    )
    with pytest.raises(UserError, match=re.escape(told)):
        planned(tasks={"wikiann": TASK | {"domains": domains, "budgets": [3]}})


def test_a_search_begins_where_the_cells_begin(local_project: Path) -> None:
    told = {"dapt": {"lr": 0.1}, "multitask": {"lr": 0.1}}
    plan = planned(seeds=[0, 1], methods=["finetune", "dapt", "multitask"], prepare=told)
    own = {job.method: job for job in plan.tunes}
    assert {place.checkpoint for place in own["finetune"].places} == {"model"}
    assert own["finetune"].needs == [plan.backbones[0].done]
    made = {part.folder for job in plan.prepares if job.done in own["dapt"].needs for part in job.parts}
    assert {place.checkpoint for place in own["dapt"].places} <= made
    assert len(own["dapt"].needs) == 1, "the run makes no checkpoint for a meta_dev domain, and none is waited for"
    block = plan.block("wikiann", "multitask")
    assert own["multitask"].needs == block.prepared_by, "all domains share those that the run makes"
    assert {place.checkpoint for place in own["multitask"].places} == {cell.checkpoint for cell in block.cells}
    folders = [part.folder for job in plan.prepares for part in job.parts]
    assert len(folders) == len(set(folders)), "no two jobs make the same checkpoint"


def test_a_new_budget_seed_or_target_searches_nothing_again(local_project: Path) -> None:
    def jobs(**changes: Any) -> set[str]:
        return {job.fingerprint for job in planned(**changes).tunes}

    before = jobs()
    more = TASK | {"budgets": [16, 20, 64, 100], "domains": DOMAINS | {"pt": "meta_test"}}
    assert jobs(tasks={"wikiann": more}, seeds=[0, 1, 2]) == before


@pytest.mark.parametrize("changes", [{"train": {"steps": 7}}, {"max_length": 40}], ids=["training", "lengths"])
def test_what_changes_a_trial_searches_again(changes: dict[str, Any], local_project: Path) -> None:
    before = {job.fingerprint for job in planned().tunes}
    assert before.isdisjoint(job.fingerprint for job in planned(tasks={"wikiann": TASK | changes}).tunes)


def test_cells_are_those_of_their_search(local_project: Path) -> None:
    """Another range finds another rate, so the cells are others; the rate of method.yaml is not theirs."""
    before = {cell.fingerprint for cell in planned(methods=["lora"]).cells()}
    use.edit("methods/lora/method.yaml", "lr: 3.0e-3", "lr: 4.0e-3")(local_project)
    assert {cell.fingerprint for cell in planned(methods=["lora"]).cells()} == before
    use.edit("methods/lora/method.yaml", "[1.0e-4, 1.0]", "[1.0e-5, 1.0]")(local_project)
    assert before.isdisjoint(cell.fingerprint for cell in planned(methods=["lora"]).cells())


def test_a_saved_plan_with_searches_is_read_back_as_it_was(local_project: Path) -> None:
    plan = planned()
    plan.save()
    assert load_plan(plan.path) == plan
    assert isinstance(plan.with_done(plan.tunes[0].done), TuneJob)


def test_the_rates_of_a_preparation_are_given_only_where_all_of_them_are_said(local_project: Path) -> None:
    def told(**changes: Any) -> dict[str, str]:
        blocks: list[Block] = planned(methods=["finetune", "dapt", "primed_adapter"], **changes).blocks
        return {block.method: block.preparation_rates for block in blocks}

    assert told() == {"finetune": "none", "dapt": "searched", "primed_adapter": "searched"}
    assert told(rates="given") == {"finetune": "none", "dapt": "method", "primed_adapter": "method"}
    given = {"dapt": {"lr": 0.1}, "meta": {"outer": {"lr": 0.1}}}
    assert told(prepare=given) == {"finetune": "none", "dapt": "given", "primed_adapter": "searched"}
    whole = {"meta": {"outer": {"lr": 0.1}, "inner": {"lr": 0.1}}}
    assert told(prepare=whole)["primed_adapter"] == "given"
