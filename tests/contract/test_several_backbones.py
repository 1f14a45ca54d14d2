"""Cells on two tiny backbones from the plan to boards, a paper's figure and commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from harness.adapt.block import run_cells
from harness.base.files import read_json
from harness.cli.main import main
from harness.contracts.paper import Figure, PaperSpec, Row
from harness.contracts.plan import Plan
from harness.paper.curves import panel
from harness.paper.evidence import Evidence
from harness.plan.entry import make_plan
from harness.plan.jobs import build_backbone, build_data, run_preparation
from harness.record.collect import write_records
from harness.record.read import read_records
from harness.score.score import score_task
from harness.table.leaderboard import write_leaderboards
from tests import project as use
from tests.models import write_checkpoint

TASK = {"budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}, "test_examples": 6, "max_length": 32}


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint_folder: Callable[..., Path]) -> Plan:
    """The plan of a run whose cells are done: a preparation, variants and a control on a small and a wider model."""
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("small").symlink_to(checkpoint_folder("bert"))
    write_checkpoint(Path("wide"), "bert", hidden_size=64)
    content = {
        "methods": ["lora", "multitask", "majority"],
        "variants": {"lora": {"rank": [1, 2]}},
        "tasks": {"wikiann": TASK | {"backbones": ["small", "wide"]}},
        "backbones": {name: {"source": "local", "path": name} for name in ("small", "wide")},
        "train": {"steps": 3, "batch_size": 2, "lr": 0.02},
        "prepare": {"multitask": {"steps": 2}},
    }
    use.write_config(Path(), content)
    plan = make_plan(use.CONFIG)
    plan.save()
    build_data(plan, plan.data_of("wikiann"))
    for backbone in plan.backbones:
        build_backbone(plan, backbone)
    for prepare in plan.prepares:
        run_preparation(plan, prepare)
    for job in plan.adapts:
        assert run_cells(plan, job) == 0
    for task in plan.tasks:
        score_task(plan, task)
    write_records(plan)
    return plan


def test_two_backbones_from_the_plan_to_tables_and_figures(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    records = read_records(Path(plan.output) / "records.parquet")
    assert set(records.status) == {"done"}
    assert set(zip(records.task, records.backbone, strict=True)) == {("wikiann", "small"), ("wikiann@wide", "wide")}
    its = records[records.primary].pivot(index="method", columns="task", values="score")
    assert list(its.index) == ["lora", "lora@rank=1", "lora@rank=2", "majority", "multitask"]
    assert its.wikiann["majority"] == its["wikiann@wide"]["majority"]
    told = records.dropna(subset="model").groupby("task").model.unique()
    (small,), (wide,) = told["wikiann"], told["wikiann@wide"]
    assert json.loads(small)["parameters"] < json.loads(wide)["parameters"]
    prepared = records[records.method == "multitask"].groupby("task").model_parameters.first()
    assert prepared["wikiann"] < prepared["wikiann@wide"]

    write_leaderboards(plan, records)
    for task in plan.tasks:
        board = pd.read_csv(Path(plan.output) / "leaderboard" / f"{task}.csv").set_index("method")["mean"]
        assert board["lora"].iloc[-1] == pytest.approx(its[task]["lora"])
    lines = {"small": Row(method="lora"), "large": Row(method="lora", backbone=2)}
    figure = Figure(title="F", kind="option", task="wikiann", metric="f1", option="rank", lines=lines)
    drawn = panel(Evidence(plan, records), PaperSpec(title="P", citation="C"), "f", figure).ours
    expected = [[its[task][f"lora@rank={rank}"] for rank in (1, 2)] for task in plan.tasks]
    assert [[spot.value for spot in curve.spots] for curve in drawn] == expected

    cells = sorted(Path(plan.output).glob("cells/**/record.json"))
    before = {cell: cell.stat().st_mtime_ns for cell in cells}
    words = ["--configfile", use.CONFIG, "--task", "wikiann", "--method", "lora", "--backbone", "wide"]
    assert main(["run", *words]) == 0
    assert f"f1 {its['wikiann@wide']['lora']:.2f}" in capsys.readouterr().out
    assert {cell: cell.stat().st_mtime_ns for cell in sorted(Path(plan.output).glob("cells/**/record.json"))} == before
    (cell,) = plan.block("wikiann@wide", "lora").cells
    assert read_json(Path(cell.folder) / "record.json")["backbone"] == "wide"
