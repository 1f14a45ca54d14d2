"""Scores along the way: what they are of, that nothing follows from them, and the figure and records made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.adapt.block import run_cells
from harness.adapt.record import RECORD, along_file
from harness.base.errors import UserError
from harness.base.files import read_json
from harness.contracts.discover import tasks
from harness.contracts.plan import Plan
from harness.data.build import build_domains
from harness.paper.evidence import Evidence
from harness.plan.entry import make_plan
from harness.record.collect import collect, write_records
from harness.record.read import read_along
from harness.score.score import score_task
from harness.table.along import write_along
from tests import project as use

DOMAINS = {"en": "meta_train", "nl": "meta_test"}
TASK = {"source": "embedded", "budgets": [4], "domains": DOMAINS, "test_examples": 6, "max_length": 32}
TRAIN = {"steps": 4, "batch_size": 2, "lr": 0.01}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkpoint_folder: Callable[..., Path]) -> Path:
    """A small copy of the project with a tiny checkpoint."""
    folder = tmp_path_factory.mktemp("project")
    use.copy_project(folder)
    (folder / "tiny").symlink_to(checkpoint_folder("bert"))
    return folder


def planned(task: dict[str, Any] | None = None, **changes: Any) -> Plan:
    content = {
        "methods": ["head", "majority"],
        "tasks": {"wikiann": TASK | {"train": TRAIN} | (task or {})},
        "backbones": {"encoder": {"source": "local", "path": "tiny"}},
    }
    use.write_config(Path(), content | changes)
    return make_plan(use.CONFIG)


def ran(plan: Plan) -> Plan:
    build_domains(tasks()["wikiann"], plan.data_of("wikiann"))
    plan.save()
    for job in plan.adapts:
        assert run_cells(plan, job) == 0
    score_task(plan, "wikiann")
    write_records(plan)
    return plan


def of_head(records: pd.DataFrame) -> pd.DataFrame:
    return records[(records.method == "head") & records.primary].reset_index(drop=True)


def test_each_point_is_a_shorter_training_at_the_same_rate(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    level = TRAIN | {"schedule": "constant", "warmup": 0.0}
    plan = ran(planned({"train": level, "evaluate_at": [2, 0, 4]}))
    assert (plan.along, plan.records[-1], plan.figures[-1]) == (["wikiann"], "along.parquet", "wikiann.along")
    along = of_head(read_along(plan))
    assert list(along.point) == list(along.step) == [0, 2, 4]
    assert list(along["last"]) == [False, False, True]
    assert along.seconds.is_monotonic_increasing
    assert set(along.unit) == {"steps"}
    alone = {steps: of_head(collect(ran(planned({"train": level | {"steps": steps}})))) for steps in (0, 2, 4)}
    assert list(along.score) == [float(alone[steps].score[0]) for steps in (0, 2, 4)]
    pd.testing.assert_frame_equal(  # the cell's own score and what it was made with, to the digit
        of_head(collect(plan))[["score", "trained_tokens", "train"]], alone[4][["score", "trained_tokens", "train"]]
    )
    ran(plan)
    write_along(plan, collect(plan))
    assert "steps" in (Path(plan.output) / "figures" / "wikiann.along.svg").read_text()
    evidence = Evidence(plan, collect(plan))
    assert evidence.points("wikiann") == [0, 2, 4]
    assert evidence.at("wikiann", 2).value("head", ["nl"], [4]).mean == pytest.approx(along.score[1])
    assert read_along(planned()).empty


def test_epochs_are_points_and_early_stopping_ends_at_its_best(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    train = {"epochs": 3, "batch_size": 2, "lr": 0.01, "patience": 9}
    plan = ran(planned({"train": train, "evaluate_at": [1, 2]}))
    along, (cell,) = of_head(read_along(plan)), plan.block("wikiann", "head").cells
    best = read_json(Path(cell.folder) / RECORD)["costs"]["best_step"]
    assert (list(along.point[:2]), list(along.step)) == ([1, 2], [2, 4, best])
    assert along.point[2] == best / 2
    assert set(along.unit) == {"epochs"}
    assert along_file(Path(cell.folder), 1).is_file()


def test_it_costs_nothing_where_it_is_not_used_and_is_refused_beyond_the_end(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    plain, asked = planned(), planned({"evaluate_at": [1]})
    assert (plain.along, plain.records) == ([], ["records.parquet"])
    plain.save()
    assert "evaluate_at" not in plain.path.read_text()
    assert "points" not in plain.path.read_text()
    names = {block.method: block.cells[0].fingerprint for block in plain.blocks}
    changed = {block.method for block in asked.blocks if names[block.method] != block.cells[0].fingerprint}
    assert changed == {"head"}
    with pytest.raises(UserError, match=r"tasks.wikiann.evaluate_at is 9; head trains for 4 steps on wikiann"):
        planned({"evaluate_at": [1, 9]})
    with pytest.raises(UserError, match="stands twice"):
        planned({"evaluate_at": [1, 1]})
