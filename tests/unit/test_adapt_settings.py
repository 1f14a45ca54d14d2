"""Options of adaptations that a configuration gives a method, for the run or on one task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.adapt.block import make_bench
from harness.base.errors import UserError
from harness.cli.main import main
from harness.contracts.plan import Plan
from harness.contracts.plan_file import load_plan
from harness.plan.entry import make_plan
from tests import project as use

SIX = {"lora": {"lora": {"rank": 6}}}


def planned(**changes: Any) -> Plan:
    use.write_config(Path(), {"methods": ["finetune", "lora"]} | changes)
    return make_plan(use.CONFIG)


def wikiann(**changes: Any) -> dict[str, Any]:
    return {"wikiann": {"budgets": [16]} | changes}


def test_a_configured_option_is_what_the_cells_are_computed_with(project: Path) -> None:
    plan, varied = planned(adapt=SIX), planned(variants={"lora": {"rank": [6]}})
    lora, six = plan.block("wikiann", "lora"), varied.block("wikiann", "lora@rank=6")
    # The same number under two names: the fingerprint is of what is computed.
    assert [cell.fingerprint for cell in lora.cells] == [cell.fingerprint for cell in six.cells]
    plan.save()
    read = load_plan(plan.path)
    assert read.blocks == plan.blocks
    (part,) = make_bench(read, read.block("wikiann", "lora")).adaptations
    assert part.model_dump()["rank"] == 6


def test_the_tasks_word_counts_and_other_methods_keep_theirs(project: Path) -> None:
    both = planned(
        adapt={"lora": {"lora": {"rank": 6, "scale": 2.0}}}, tasks=wikiann(adapt={"lora": {"lora": {"rank": 3}}})
    )
    assert both.block("wikiann", "lora").adapt == {"lora": {"rank": 3, "scale": 2.0}}
    plain, six = planned(), planned(adapt=SIX)
    assert plain.block("wikiann", "finetune").cells == six.block("wikiann", "finetune").cells
    assert plain.block("wikiann", "lora").adapt == {}
    plain.save()
    assert "adapt" not in plain.config  # as a plan without any is kept


def test_a_variant_has_the_other_options_and_its_own_value(project: Path) -> None:
    plan = planned(adapt={"lora": {"lora": {"rank": 6, "scale": 2.0}}}, variants={"lora": {"rank": [1]}})
    (part,) = make_bench(plan, plan.block("wikiann", "lora@rank=1")).adaptations
    assert {name: part.model_dump()[name] for name in ("rank", "scale")} == {"rank": 1, "scale": 2.0}


def test_a_preparation_that_the_adaptation_takes_part_in_is_of_these_options(project: Path) -> None:
    roles = {"en": "meta_train", "de": "meta_train", "nl": "meta_test"}
    methods = ["primed_lora", "multitask"]
    before = planned(methods=methods, tasks=wikiann(domains=roles))
    after = planned(methods=methods, tasks=wikiann(domains=roles, adapt={"primed_lora": {"lora": {"rank": 6}}}))
    of = {plan_id: {job.name: job for job in plan.prepares} for plan_id, plan in enumerate((before, after))}
    assert of[0]["multitask"].parts == of[1]["multitask"].parts
    assert of[0]["meta"].parts != of[1]["meta"].parts
    assert of[1]["meta"].adapt == {"lora": {"rank": 6}}


@pytest.mark.parametrize(
    ("adapt", "field", "mend"),
    [
        ({"lorra": {"lora": {"rank": 1}}}, "adapt", "did you mean 'lora'"),
        ({"lora": {"lorra": {"rank": 1}}}, "adapt.lora", "did you mean 'lora'"),
        ({"lora": {"lora": {"rang": 1}}}, "adapt.lora.lora.rang", "did you mean 'rank'"),
        ({"lora": {"lora": {"rank": 0}}}, "adapt.lora.lora.rank", "greater than or equal to 1"),
        ({"lora": {"lora": {"rank": "many"}}}, "adapt.lora.lora.rank", "valid integer"),
        ({"lora": {"lora": 6}}, "adapt.lora.lora", "valid dictionary"),
        ({"lora": 6}, "adapt.lora", "valid dictionary"),
        ({"majority": {"majority": {"rank": 1}}}, "adapt.majority.majority.rank", "no keys"),
    ],
)
@pytest.mark.parametrize("below", ["", "tasks.wikiann."])
def test_what_a_method_does_not_take_is_refused(project: Path, adapt: Any, field: str, mend: str, below: str) -> None:
    said: dict[str, Any] = {"tasks": wikiann(adapt=adapt)} if below else {"adapt": adapt}
    with pytest.raises(UserError) as refused:
        planned(**said)
    assert f"{below}{field}" in str(refused.value)
    assert mend in str(refused.value)


def test_no_rate_is_kept_of_a_method_that_the_configuration_changes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use.write_config(Path(), {"methods": ["finetune", "lora"], "tasks": wikiann(adapt=SIX)})
    assert main(["tune", "--configfile", use.CONFIG, "--method", "finetune", "lora"]) == 2
    said = capsys.readouterr().err
    assert "tasks.wikiann.adapt.lora is {'lora': {'rank': 6}}" in said
    assert "search within a run" in said
    assert not Path("results", "tune").exists()


def test_an_option_that_a_share_solves_is_refused(project: Path) -> None:
    with pytest.raises(UserError, match=r"adapt\.lora\.lora\.rank is 6; `match_parameters` solves it on wikiann"):
        planned(adapt=SIX, match_parameters=0.01)
