"""A task on several backbones: every method on each, by a name of its own that tables and tests never mix."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.base.errors import UserError
from harness.cli.asked import plan_asked
from harness.cli.main import main
from harness.cli.run import forget_cells
from harness.contracts.claim import Claim, On, Place
from harness.contracts.paper import Column, Figure, PaperSpec, PaperTable, Row
from harness.contracts.plan import Plan
from harness.contracts.plan_file import load_plan
from harness.paper.answers import ONE_BACKBONE, Answer, answer_paper
from harness.paper.best import places_of_best
from harness.paper.curves import panel
from harness.paper.evidence import Evidence
from harness.paper.fill import Filler
from harness.plan.entry import make_plan
from harness.table.comparison import write_comparison
from harness.table.leaderboard import write_leaderboards
from harness.table.scores import TaskScores
from tests import project as use
from tests.unit.made_records import MODEL, made_plan, made_records

TASK = {"budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}}
BACKBONES = {
    "small": use.backbone("bert", "wikiann"),
    "large": use.backbone("bert", "wikiann", width=32),
    "again": use.backbone("bert", "wikiann"),
    "a/b": use.backbone("bert", "wikiann", seed=1),
}
TWO = {"backbones": ["small", "large"]}


def configure(run: dict[str, Any], **changes: Any) -> None:
    content = {"tasks": {"wikiann": TASK | run}, "backbones": BACKBONES, "methods": ["majority", "finetune", "dapt"]}
    use.write_config(Path(), content | {"leave_out": []} | changes)


def planned(run: dict[str, Any], **changes: Any) -> Plan:
    configure(run, **changes)
    return make_plan(use.CONFIG)


def test_every_method_runs_on_each_with_searches_and_preparations_of_its_own(project: Path) -> None:
    plan = planned(TWO, rates="search")
    assert {name: task.backbone for name, task in plan.tasks.items()} == {"wikiann": "small", "wikiann@large": "large"}
    assert [plan.on("wikiann"), plan.firsts] == [["wikiann", "wikiann@large"], ["wikiann"]]
    assert [task.label.rpartition(" ")[2] for task in plan.tasks.values()] == ["(small)", "(large)"]
    for name, backbone in (("wikiann", "small"), ("wikiann@large", "large")):
        blocks = [block for block in plan.blocks if block.task == name]
        assert [(block.method, block.backbone) for block in blocks] == [
            (method, backbone) for method in ("majority", "finetune", "dapt")
        ]
        assert {cell.task for block in blocks for cell in block.cells} == {name}
        jobs = [*plan.prepares, *plan.tunes, *(job.prepare for job in plan.tunes if job.prepare)]
        assert {job.task for job in jobs if job.backbone == backbone} == {name}
    searched = [{cell.rates_from for cell in plan.block(name, "finetune").cells} for name in plan.tasks]
    assert searched[0].isdisjoint(searched[1])
    assert len({done for block in plan.blocks for done in block.prepared_by}) == 2
    assert plan.data_of("wikiann") is plan.data_of("wikiann@large")
    plan.save()
    assert load_plan(plan.path) == plan


def test_a_cell_is_the_same_whether_its_backbone_stands_alone_or_not(project: Path) -> None:
    both, variants = planned(TWO, rates="search"), {"lora": {"rank": [2]}}
    for name, backbone in (("wikiann", "small"), ("wikiann@large", "large")):
        alone = planned({"backbone": backbone}, rates="search")
        assert list(alone.tasks) == ["wikiann"]
        cells = [replace(cell, task="wikiann") for cell in both.cells() if cell.task == name]
        assert cells == list(alone.cells())
    plan = planned(TWO | {"methods": ["lora"]}, variants=variants)
    assert [(block.task, block.method) for block in plan.blocks][2:] == [
        ("wikiann@large", "lora"), ("wikiann@large", "lora@rank=2"),
    ]  # fmt: skip


def test_nothing_changes_where_a_task_has_one(project: Path) -> None:
    plan = planned({"backbone": "small"})
    plan.save()
    assert not {"others", '"wikiann@'} & set(plan.path.read_text().split())
    assert "backbones" not in plan.config["tasks"]["wikiann"]
    assert planned({"backbones": ["small"]}).blocks == plan.blocks


@pytest.mark.parametrize(
    ("run", "field", "mend"),
    [
        ({"backbones": ["small", "small"]}, "backbones", "small stands twice; remove one"),
        ({"backbones": ["small", "larg"]}, "backbones", "did you mean 'large'"),
        ({"backbones": []}, "backbones", "at least 1"),
        ({"backbones": "small"}, "backbones", "write [small]"),
        (TWO | {"backbone": "large"}, "backbones", "`backbone` says large beside it; remove one of the two"),
        ({"backbones": ["small", "again"]}, "backbones", "it is the same checkpoint as 'small'; remove one"),
        ({"backbones": ["small", "a/b"]}, "backbones", "a part of names of files"),
        (TWO | {"max_length": 200}, "max_length", "backbone 'small' reads at most"),
    ],
)
def test_what_cannot_be_is_refused(run: dict[str, Any], field: str, mend: str, project: Path) -> None:
    with pytest.raises(UserError) as told:
        planned(run)
    assert str(told.value).startswith("run.yaml: line ")
    assert f" tasks.wikiann.{field} is " in str(told.value)
    assert mend in str(told.value)


def test_each_must_fit_the_task(project: Path) -> None:
    task = {"budgets": [4], "domains": {"email": "meta_train", "dialog": "meta_test"}, "max_length": 32}
    backbones = {"decoder": use.backbone("gpt2", "adaptsum_lm"), "text": use.backbone("bert", "adaptsum_lm")}
    run = task | {"backbones": ["decoder", "text"]}
    with pytest.raises(UserError, match=r"run\.yaml: .*architecture is 'bert'; a causal-lm task needs one of"):
        planned({}, methods=["finetune"], tasks={"adaptsum_lm": run}, backbones=backbones)


def asked(**changes: Any) -> Namespace:
    options = {"task": "wikiann", "method": "finetune", "domain": None, "budget": None, "seed": None, "backbone": None}
    return Namespace(configfile=use.CONFIG, include=[], **options | changes)


def test_commands_about_cells_say_which_backbone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = planned(TWO)
    for backbone, name in (("small", "wikiann"), ("large", "wikiann@large")):
        cells = list(plan_asked(asked(backbone=backbone)).cells())
        assert [cell.fingerprint for cell in cells] == [its.fingerprint for its in whole.block(name, "finetune").cells]
        assert [cell.folder for cell in cells] == [its.folder for its in whole.block(name, "finetune").cells]
    assert len(list(plan_asked(asked(task="wikiann@large")).cells())) == 1
    for command in ("plan", "status"):
        assert main([command, "--configfile", use.CONFIG]) == 0
        assert "wikiann@large" in capsys.readouterr().out
    words = ["--configfile", use.CONFIG, "--task", "wikiann", "--method", "finetune"]
    for command in ("run", "compare", "predictions"):
        assert main([command, *words]) == 2
        told = capsys.readouterr().err
        assert "--backbone is missing; the run has wikiann on small and large, name one of them" in told
    assert main(["run", *words, "--backbone", "larg"]) == 2
    assert "--backbone is 'larg'; did you mean 'large'?" in capsys.readouterr().err
    configure({"backbone": "small"})
    assert len(list(plan_asked(asked()).cells())) == 1


def test_a_control_without_a_backbone_has_one_cell_and_is_forgotten_once(project: Path) -> None:
    from harness.adapt.record import write_failed

    plan = planned(TWO, methods=["majority"])
    first, second = plan.blocks
    assert [cell.folder for cell in first.cells] == [cell.folder for cell in second.cells]
    (cell,) = first.cells
    write_failed(Path(cell.folder), {"fingerprint": cell.fingerprint}, "error", "told")
    marks = [Path(plan.scored(name)) for name in plan.tasks]
    for mark in marks:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("{}")
    assert forget_cells(plan, ["error"]) == 1
    assert not any(mark.is_file() for mark in marks)


def test_boards_and_tests_never_mix_them(tmp_path: Path) -> None:
    levels = {"alpha": 2.0, "ner@large alpha": 0.2, "ner@large beta": 3.0}
    one, two = (made_plan(str(tmp_path / name), ("ner", *more)) for name, more in (("a", ()), ("b", ("ner@large",))))
    for plan in (one, two):
        write_leaderboards(plan, made_records(plan, levels))
    boards = [pd.read_csv(Path(plan.output) / "leaderboard" / "ner.csv") for plan in (one, two)]
    pd.testing.assert_frame_equal(*boards)
    whole = [pd.read_csv(Path(plan.output) / "leaderboard" / "overall.csv") for plan in (one, two)]
    pd.testing.assert_frame_equal(*whole)  # each task once
    large = pd.read_csv(tmp_path / "b" / "leaderboard" / "ner@large.csv")
    assert [board.method[0] for board in (boards[1], large)] == ["alpha", "beta"]
    assert "Backbone: large" in (tmp_path / "b" / "leaderboard" / "ner@large.md").read_text()
    page = write_comparison(two, made_records(two, levels), "ner@large", "beta").read_text()
    assert "Backbone: large" in page
    assert page != write_comparison(two, made_records(two, levels), "ner", "beta").read_text()


RANKS = (1, 2, 4, 8, 16)
VARIED = {"alpha": "A", "zero": "Zero", **{f"alpha@rank={rank}": f"A {rank}" for rank in RANKS}}


def peaked(task: str, best: float) -> dict[str, float]:
    """Levels of the ranks with their top at a place among them."""
    return {f"{task} alpha@rank={rank}": 2 - 0.4 * (place - best) ** 2 for place, rank in enumerate(RANKS)}


def smaller_rank(plan: Plan, levels: dict[str, float], **model: Any) -> Answer:
    claim = Claim(
        says="The larger, the smaller.", where=Place(place="Figure 5", status="seen"), kind="trend",
        methods=["alpha"], option="rank", backbones=2, on=On(task="ner", metric="f1"), scale="difference",
        smallest=1, why="a step",
    )  # fmt: skip
    records = made_records(plan, {"zero": -3.0} | levels, noise=0.3)
    if model:
        records.loc[records.model.notna(), "model"] = json.dumps(MODEL | model)
    paper = PaperSpec(title="P", citation="C", claims={"c": claim})
    return answer_paper(Evidence(plan, records), "p", paper)[0]


def test_the_larger_model_has_the_smaller_best_value() -> None:
    plan = made_plan("out", ("ner", "ner@large"), methods=VARIED, seeds=[0, 1, 2, 3])
    found = smaller_rank(plan, peaked("ner", 3) | peaked("ner@large", 1))
    assert (found.verdict, found.parts[0].label) == (
        "supported", "best rank of alpha, tiny less large, in steps",
    )  # fmt: skip
    assert found.parts[0].estimate == pytest.approx(2, abs=0.3)
    assert not any(ONE_BACKBONE in words for words in found.lost)
    found = smaller_rank(plan, peaked("ner", 1) | peaked("ner@large", 3))
    assert (found.verdict, found.reason) == ("contradicted", "reversed")
    found = smaller_rank(plan, peaked("ner", 3) | peaked("ner@large", 1), parameters=7)
    assert (found.obstacle, found.reason) == ("one backbone", "neither of tiny and large is known to be the larger")
    alone = made_plan("out", ("ner",), methods=VARIED)
    assert smaller_rank(alone, {}).obstacle == "one backbone"


@pytest.mark.parametrize(
    ("small", "large", "verdict"),
    [
        (4, 1, "supported"),  # three steps or more
        (3, 0, "supported"),
        (0, 3, "contradicted"),  # three steps the other way, or more
        (1, 4, "contradicted"),
        (2, 0, "supported"),
    ],
)
def test_a_best_value_at_an_end_is_a_bound(small: int, large: int, verdict: str) -> None:
    plan = made_plan("out", ("ner", "ner@large"), methods=VARIED, seeds=[0, 1, 2, 3])
    found = smaller_rank(plan, peaked("ner", small) | peaked("ner@large", large))
    assert found.verdict == verdict
    assert "at an end of the values that were run" in found.parts[0].label


@pytest.mark.parametrize(
    ("small", "large", "end"),
    [(4, 4, "16"), (0, 0, "1"), (4, 3.4, "16")],  # either way; either way; less than a step, or more
)
def test_a_bound_that_settles_nothing_is_no_answer(small: float, large: float, end: str) -> None:
    plan = made_plan("out", ("ner", "ner@large"), methods=VARIED, seeds=[0, 1, 2, 3])
    found = smaller_rank(plan, peaked("ner", small) | peaked("ner@large", large))
    assert (found.obstacle, found.reason.split(",")[0]) == ("no data", f"on tiny the best rank is {end}")


def test_the_order_of_the_list_does_not_say_which_is_larger() -> None:
    plan = made_plan("out", ("ner", "ner@large"), methods=VARIED)
    tasks = {"ner": "large", "ner@large": "tiny"}
    swapped = replace(plan, tasks={name: replace(its, backbone=tasks[name]) for name, its in plan.tasks.items()})
    found = smaller_rank(swapped, peaked("ner", 1) | peaked("ner@large", 3))
    assert found.verdict == "supported"


def test_the_place_of_the_best_is_the_top_of_a_parabola() -> None:
    tops = np.array([1.3, 2.0, 2.75])
    curves = -((np.arange(5.0)[:, None] - tops) ** 2)
    assert places_of_best(curves) == pytest.approx(tops)
    assert list(places_of_best(np.array([[3.0, 0, 1], [2.0, 1, 1], [1.0, 2, 1]]))) == [0, 2, 0]
    assert list(places_of_best(np.array([[0.0], [1.0], [1.0], [0.0]]))) == [1.5]


def test_a_line_of_a_figure_and_a_row_of_a_table_name_a_backbone_by_its_place() -> None:
    plan = made_plan("out", ("ner", "ner@large"), methods=VARIED)
    records = made_records(plan, peaked("ner", 3) | peaked("ner@large", 1))
    lines = {
        "medium": Row(method="alpha"),
        "large": Row(method="alpha", backbone=2),
        "third": Row(method="alpha", backbone=3),
    }
    figure = Figure(title="F", kind="option", task="ner", metric="f1", option="rank", lines=lines)
    table = PaperTable(title="T", task="ner", metric="f1", rows=lines, columns={"nl": Column(domain="nl")})
    paper = PaperSpec(title="P", citation="C", tables={"t": table}, figures={"f": figure})
    evidence = Evidence(plan, records)
    curves = {curve.name: [spot.value for spot in curve.spots] for curve in panel(evidence, paper, "f", figure).ours}
    assert [int(np.argmax(values)) for values in curves.values()] == [3, 1]
    assert list(curves) == ["medium", "large"]
    filler = Filler(evidence, paper, "t", table)
    entries = [filler._our_entry(row, table.columns["nl"]) for row in lines.values()]
    for name, entry in zip(plan.on("ner"), entries, strict=False):
        scores = TaskScores(plan, records, name)
        assert entry.value == scores.value("alpha", ["nl"], scores.budgets[-1:]).mean
    assert (entries[2].kind, entries[2].why) == ("not run", "no task: the run does not have ner on backbone 3")
