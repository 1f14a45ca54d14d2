"""Variants: rows of their own with their method's rates, refused where they cannot be, on boards only where asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.base.errors import UserError
from harness.contracts.discover import Method
from harness.contracts.plan import Plan
from harness.contracts.plan_file import load_plan
from harness.parts.build import adaptations_of
from harness.parts.variants import method_of
from harness.plan.entry import make_plan
from harness.table.leaderboard import write_leaderboards
from harness.table.scores import TaskScores
from harness.table.variants import draw, values_by_option, write_variants
from tests import project as use
from tests.unit.made_records import made_plan, made_records

RANKS = {"lora": {"rank": [6, 1]}}


def planned(**changes: Any) -> Plan:
    use.write_config(Path(), {"methods": ["finetune", "lora"]} | changes)
    return make_plan(use.CONFIG)


def test_a_variant_is_its_method_with_one_other_value(project: Path) -> None:
    plan = planned(variants=RANKS, train={"lora": {"lr": 0.5}})
    assert [block.method for block in plan.blocks] == ["finetune", "lora", "lora@rank=6", "lora@rank=1"]
    method, eight = method_of("lora"), method_of("lora@rank=6")
    (own,), (its,) = adaptations_of(method), adaptations_of(eight)
    assert its.model_dump() == own.model_dump() | {"rank": 6}
    assert eight.spec.label == f"{method.spec.label}, rank 6"
    assert (eight.base, eight.code, eight.tuned) == ("lora", method.code, method.tuned)
    assert [block.train["lr"] for block in plan.blocks[1:]] == [0.5] * 3
    folders = [Path(block.cells[0].folder).parent.name for block in plan.blocks[1:]]
    assert folders == ["lora", "lora@rank=6", "lora@rank=1"]
    assert len({block.cells[0].fingerprint for block in plan.blocks}) == 4
    plan.save()
    assert load_plan(plan.path).blocks == plan.blocks


def test_nothing_changes_where_there_are_none(project: Path) -> None:
    plain, varied = planned(), planned(variants=RANKS)
    assert [block.cells for block in plain.blocks] == [block.cells for block in varied.blocks[:2]]
    plain.save()
    assert "variants" not in plain.path.read_text()
    assert (plain.figures, varied.figures) == (["wikiann"], ["wikiann", "wikiann.variants"])


def test_a_searched_rate_is_searched_once_for_the_method(project: Path) -> None:
    plan = planned(variants=RANKS, rates="search", methods=["lora"], tasks={"wikiann": dev_task()})
    (job,) = plan.tunes
    assert job.method == "lora"
    assert {cell.rates_from for cell in plan.cells()} == {job.done}


ROLES = {"en": "meta_train", "es": "meta_train", "de": "meta_dev", "nl": "meta_test"}
LEFT_OUT = {"primed_adapter": {"domains": ["leave_one_out"]}}


def test_a_variant_of_the_preparation_prepares_with_its_own_value(project: Path) -> None:
    task = {"wikiann": {"budgets": [16], "domains": ROLES}}
    said = {"prepare": {"meta": {"domains": "meta_train"}}}
    plan = planned(methods=["primed_adapter"], variants=LEFT_OUT, tasks=task, **said)
    plain = planned(methods=["primed_adapter"], tasks=task, prepare={"meta": {"domains": "leave_one_out"}})
    base, varied = plan.blocks
    assert varied.method == "primed_adapter@domains=leave_one_out"
    assert [job.options["domains"] for job in plan.prepares] == ["meta_train", "leave_one_out"]
    # It is what the method is where the configuration says so, under another name.
    assert [cell.fingerprint for cell in varied.cells] == [cell.fingerprint for cell in plain.cells()]
    assert base.cells[0].fingerprint != varied.cells[0].fingerprint
    assert method_of(varied.method).spec.label.endswith(", domains leave_one_out")


def test_the_rates_of_a_varied_preparation_are_searched_once_for_the_method(project: Path) -> None:
    task = {"wikiann": {"budgets": [16], "domains": ROLES}}
    plan = planned(methods=["primed_adapter"], variants=LEFT_OUT, tasks=task, rates="search")
    assert {job.options["domains"] for job in plan.prepares} == {"meta_train", "leave_one_out"}
    (search,) = {job.rates_from for job in plan.prepares}
    assert search in {job.done for job in plan.tunes}


def dev_task() -> dict[str, Any]:
    return {"budgets": [16], "domains": {"en": "meta_train", "de": "meta_dev", "nl": "meta_test"}}


@pytest.mark.parametrize(
    ("variants", "field", "mend"),
    [
        ({"lorra": {"rank": [1]}}, "variants", "did you mean 'lora'"),
        ({"lora": {"rang": [1]}}, "variants.lora.rang", "did you mean 'rank'"),
        ({"primed_adapter": {"domain": ["overlap"]}}, "variants.primed_adapter.domain", "did you mean 'domains'"),
        ({"primed_adapter": {"domains": ["all"]}}, "variants.primed_adapter.domains", "overlap"),
        ({"lora": {"rank": ["many"]}}, "variants.lora.rank", "valid integer"),
        ({"lora": {"rank": ["a/b"]}}, "variants.lora.rank", "names of files"),
        ({"lora": {"rank": ["8"]}}, "variants.lora.rank", "without quotes"),
        ({"lora": {"rank": [[1]]}}, "variants.lora.rank", "a number or a word"),
        ({"lora": {"rank": [1, 1]}}, "variants.lora.rank", "stands twice"),
        ({"lora": {"rank": []}}, "variants.lora.rank", "at least 1"),
        ({"prefix": {"length": [4]}}, "variants", "use one of finetune, lora"),
        ({"majority": {"rank": [4]}}, "variants.majority.rank", "control"),
    ],
)
def test_what_cannot_be_is_refused(variants: dict[str, Any], field: str, mend: str, project: Path) -> None:
    with pytest.raises(UserError) as told:
        planned(variants=variants)
    assert f" {field} is " in str(told.value)
    assert mend in str(told.value)
    assert "run.yaml" in str(told.value)


def test_a_tasks_word_of_a_methods_variants_is_in_the_place_of_the_runs(project: Path) -> None:
    tasks: dict[str, dict[str, Any]] = {"wikiann": {"budgets": [16]}, "glue": {"budgets": [16], "backbone": "encoder"}}
    tasks["wikiann"] |= {"variants": {"lora": {"rank": [4]}}}
    plan = planned(variants=RANKS, tasks=tasks)
    rows = {task: [block.method for block in plan.blocks if block.task == task] for task in tasks}
    assert rows["wikiann"] == ["finetune", "lora", "lora@rank=4"]
    assert rows["glue"] == ["finetune", "lora", "lora@rank=6", "lora@rank=1"]
    of_run = planned(variants={"lora": {"rank": [4]}}, tasks=tasks | {"wikiann": {"budgets": [16]}})
    assert plan.block("wikiann", "lora@rank=4").cells == of_run.block("wikiann", "lora@rank=4").cells


@pytest.mark.parametrize(
    ("variants", "field"),
    [
        ({"lorra": {"rank": [1]}}, "tasks.wikiann.variants"),
        ({"prefix": {"length": [4]}}, "tasks.wikiann.variants"),
        ({"lora": {"rank": [1, 1]}}, "tasks.wikiann.variants.lora.rank"),
        ({"lora": {"rank": [0]}}, "tasks.wikiann.variants.lora.rank"),
    ],
)
def test_a_tasks_variants_that_cannot_be_are_refused(variants: dict[str, Any], field: str, project: Path) -> None:
    with pytest.raises(UserError, match=f"run.yaml.*{field} is "):
        planned(tasks={"wikiann": {"budgets": [16], "variants": variants}})


def test_an_option_that_is_solved_has_no_variants(project: Path) -> None:
    with pytest.raises(UserError, match=r"variants.lora.rank is .*`match_parameters` solves it on wikiann"):
        planned(variants=RANKS, match_parameters=0.01)


VARIED = {"alpha": "Alpha", "alpha@rank=16": "16", "alpha@rank=2": "2", "beta": "Beta", "zero": "Zero-shot"}


def test_a_board_shows_them_only_where_asked(tmp_path: Path) -> None:
    from dataclasses import replace

    plan = made_plan(str(tmp_path), ("ner",), methods=VARIED)
    records = made_records(plan)
    for shown in (False, True):
        chosen = replace(plan, config={"show_variants": shown})
        write_leaderboards(chosen, records)
        board = set(pd.read_csv(tmp_path / "leaderboard" / "ner.csv").method)
        assert {"alpha", "beta", "zero"} <= board
        assert ("alpha@rank=2" in board) == shown
    scores = TaskScores(plan, records, "ner")
    assert scores.value("alpha@rank=2", scores.domains, scores.budgets).mean is not None
    assert values_by_option(plan, "ner") == {("alpha", "rank"): {"2": "alpha@rank=2", "16": "alpha@rank=16"}}
    write_variants(plan, records)
    assert (tmp_path / "figures" / "ner.variants.svg").is_file()


def test_the_title_of_their_figure_ends_within_it() -> None:
    plan = made_plan("out", ("ner",), methods=VARIED)
    figure = draw(TaskScores(plan, made_records(plan), "ner"), values_by_option(plan, "ner"))
    figure.canvas.draw()
    assert "mean over domains" in figure.get_suptitle().replace("\n", " ")
    assert figure._suptitle.get_window_extent().x1 <= figure.bbox.x1


def test_words_are_values_too() -> None:
    found: Callable[[str], Method] = method_of
    (part,) = adaptations_of(found("tarp_dynamic@decomposition=bilinear"))
    assert part.model_dump()["decomposition"] == "bilinear"
