"""The DAG from end to end: run, run again and do nothing, change one thing, break one cell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness import PROTOCOL
from harness.cli.told import jobs_of
from harness.contracts.plan_file import load_plan
from harness.plan.priority import FIRST, priorities
from tests.e2e.conftest import SAID
from tests.e2e.project import CONFIG, Project, once


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished run that a test may change."""
    return finished.copied(tmp_path / "copy")


@pytest.fixture
def said(finished: Project) -> Any:
    """What the finished run said and did when it ran, and when it was started again."""
    return json.loads((finished.folder / SAID).read_text())


def test_what_runs_is_told_by_name(said: Any) -> None:
    assert "wikiann lora seed 0 (0 of 1 cells): begun" in said["first"]
    assert re.search(r"wikiann lora seed 0: done after \d+ s; \d+ of 8 cells", said["first"])
    assert "jobid" not in said["first"]


def test_no_job_of_another_seed_is_begun_while_one_of_the_first_could_be(finished: Project, said: Any) -> None:
    """By what the run told: jobs that ended are told before those are chosen that they let begin, in any order."""
    plan = load_plan(finished.folder / "results" / "plan.json")
    marks, own, waits = {job.name: mark for mark, job in jobs_of(plan).items()}, priorities(plan), plan.waits
    data = [job.done for job in plan.data]
    first = {mark for mark, its in own.items() if its >= FIRST}
    begun, done = set[str](), set[str]()
    told = re.findall(r"\] (.+?)(?: \(\d+ of \d+ \w+\))?: (begun|done)", said["first"])
    for what, names in groupby(told, itemgetter(1)):
        these = {marks[name] for name, _ in names if name in marks}
        if what == "done":
            done |= these
            continue
        begun |= these
        could = [mark for mark in first - begun if done.issuperset(waits.get(mark) or data)]
        assert not could or not these & own.keys() - first, f"{these} were begun before {could}"
    assert done >= own.keys()


def test_a_second_run_does_nothing(said: Any) -> None:
    assert "Nothing to be done" in said["again"]
    assert set(said["touched"]) <= {".lock"}


def test_every_cell_has_a_score(finished: Project) -> None:
    scores = finished.scores()
    assert set(scores.status) == {"done"}
    assert set(scores.method) == set(CONFIG["methods"])
    assert len(scores[scores.metric == "f1"]) == 8
    assert scores.score.notna().all()
    records = pd.read_parquet(finished.folder / "results" / "records.parquet")
    models = {method: list(its.model.unique()) for method, its in records.groupby("method")}
    assert pd.isna(models.pop("majority")).all()  # it begins from no checkpoint
    assert {json.loads(model)["type"] for its in models.values() for model in its} == {"bert"}
    board = finished.leaderboard()
    assert set(board.method) == set(CONFIG["methods"])


def test_snakemakes_own_report_has_boards_figures_and_the_page(project: Project) -> None:
    made = project.run("--report", "of-snakemake.html")
    assert made.returncode == 0, made.stderr[-3000:]
    text = (project.folder / "of-snakemake.html").read_text(encoding="utf-8")
    for file in ("results/leaderboard/wikiann.csv", "results/figures/wikiann.svg", "results/report.html"):
        assert file in text
    for category in ("Tables", "Leaderboards", "Figures", "Papers", "Claims", "Page"):
        assert f'"{category}"' in text
    assert "cannot be told from its leader" in text  # a caption


def test_deleted_tables_are_made_from_the_records(project: Project) -> None:
    results = project.folder / "results"
    records = project.records()
    made = {file: file.read_bytes() for file in [*results.glob("papers/*/*"), results / "report.html"]}
    assert len(made) > 2 * 3
    for name in ("tables", "leaderboard", "papers"):
        shutil.rmtree(results / name)
    (results / "report.html").unlink()
    assert project.run().returncode == 0
    assert project.records() == records
    assert {file: file.read_bytes() for file in made} == made
    assert len(project.leaderboard())


def test_tables_of_what_stands_are_none_of_the_runs_own(project: Project) -> None:
    results = project.folder / "results"
    before = {file: file.read_bytes() for file in results.glob("tables/*.csv")}
    means = project.leaderboard()["mean"].to_list()  # its seconds are those of each run
    for name in ("tables", "leaderboard", "figures", "papers", "scores", "cells/wikiann/lora"):
        shutil.rmtree(results / name)
    for file in (*results.glob("*.parquet"), *results.glob("*.html"), results / "outcome.json"):
        file.unlink()
    for mark in results.glob("blocks/wikiann/lora-*.json"):
        mark.unlink()  # as when its jobs are still to be run
    shown = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "tables", "--configfile", "run.yaml"],
        cwd=project.folder, env=project.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "6 of 8 cells are done" in shown.stdout
    board = pd.read_csv(results / "so-far" / "leaderboard" / "wikiann.csv").set_index("method")
    assert board["mean"].isna().to_dict() == {method: method == "lora" for method in board.index}
    assert not (results / "tables").exists()
    assert project.run().returncode == 0
    assert {file: file.read_bytes() for file in before} == before
    assert project.leaderboard()["mean"].to_list() == means
    assert (results / "outcome.json").is_file()


BROKEN = '''
"""A method that fails in one of its cells, each time in another way."""
import torch
from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation

class Nan(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
    def forward(self, x):
        return x * self.scale * float("nan")

class Broken(Adaptation):
    way: str
    def attach(self, backbone: Backbone) -> None:
        if self.way == "raise":
            raise ValueError("this method is broken")
        if self.way == "memory":
            torch.empty(1 << 50)
        backbone.sublayers()[0].after(Nan())
'''


WAYS = {"broken_raise": "error", "broken_memory": "out_of_memory", "broken_nan": "diverged"}
NEW = ["mine", *WAYS]


@pytest.fixture(scope="session")
def changed(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished run with new methods, most of them broken, a new seed and an edited method, run again."""

    def make(folder: Path) -> None:
        project = finished.copied(folder, papers=False)
        new = project.headstart("new", "method", "mine")
        assert new.returncode == 0, new.stderr
        for name in WAYS:
            way = name.removeprefix("broken_")
            broken = project.folder / "methods" / name
            broken.mkdir()
            (broken / "method.py").write_text(BROKEN)
            (broken / "method.yaml").write_text(f"label: Broken\nsummary: Broken.\nadapt: {{broken: {{way: {way}}}}}\n")
        (project.folder / "methods" / "lora" / "method.py").write_text("# an edit\n")
        project.configure(seeds=[0, 1, 2], methods=[*NEW, *CONFIG["methods"]])
        done = project.run()
        assert done.returncode != 0, "a run with failed cells ends non-zero"

    return once(tmp_path_factory, "changed", make)


def test_only_what_is_new_is_computed(finished: Project, changed: Project) -> None:
    before, after = finished.records(), changed.records()
    assert {folder: after[folder] for folder in before} == before, "nothing that stood was computed again"
    new = [Path(folder) for folder in set(after) - set(before)]
    of_old_seeds = Counter(folder.parent.name for folder in new if "-s2-" not in folder.name)
    assert of_old_seeds == {"lora": 2} | dict.fromkeys(NEW, 2)
    assert {folder.parent.name for folder in new if "-s2-" in folder.name} == {*NEW, *CONFIG["methods"]}
    assert "mine" in set(changed.leaderboard().method)


def test_broken_cells_are_records_and_the_rest_goes_on(changed: Project, tmp_path: Path) -> None:
    scores = changed.scores()
    for method, status in WAYS.items():
        assert set(scores[scores.method == method].status) == {status}
    broken = scores.method.isin(list(WAYS))
    assert scores[broken].score.isna().all()
    assert set(scores[~broken].status) == {"done"}
    board = changed.leaderboard()
    assert board[board.method.isin(list(WAYS))]["mean"].isna().all()
    assert board[~board.method.isin(list(WAYS))]["mean"].notna().all()
    project = changed.copied(tmp_path / "copy")
    told = project.headstart("status", "--configfile", "run.yaml")
    assert "this method is broken" in told.stdout
    assert "3 error" in told.stdout
    project.configure(seeds=[0, 1, 2], methods=[*NEW, *CONFIG["methods"]], allow_failures=True)
    again = project.headstart("retry", "--configfile", "run.yaml", "--status", "diverged", "--cores", "2")
    assert "3 cells will run again" in again.stdout
    assert again.returncode == 0, "unless the configuration allows it"
    old, now = changed.records(), project.records()
    assert {Path(folder).parent.name for folder in now if now[folder] != old[folder]} == {"broken_nan"}


GOLDEN = Path(__file__).with_name("golden.csv")


def test_losses_are_those_of_the_protocol(finished: Project) -> None:
    """A change of the harness that changes numbers must raise PROTOCOL, and then the golden losses here.

    To write them anew: `GOLDEN=write python -m pytest tests/e2e -k protocol`.
    """
    records = pd.read_parquet(finished.folder / "results" / "records.parquet")
    cells = records[records.primary & records.trained_tokens.notna()]
    folders = [next((finished.folder / "results" / "cells").glob(f"*/*/*-{key[:10]}")) for key in cells.fingerprint]
    losses = [json.loads((folder / "record.json").read_text())["costs"]["last_loss"] for folder in folders]
    now = cells[["method", "domain", "budget", "seed"]].assign(loss=losses, protocol=PROTOCOL)
    now = now.sort_values(["method", "seed"]).reset_index(drop=True)
    if os.environ.get("GOLDEN") == "write":
        now.to_csv(GOLDEN, index=False)
    golden = pd.read_csv(GOLDEN)
    assert (golden.protocol == PROTOCOL).all(), "PROTOCOL was raised: write the golden losses anew"
    # Machines differ in the last digits of a sum; a few steps of training widen that a little.
    pd.testing.assert_frame_equal(now, golden, rtol=1e-3, check_dtype=False)
