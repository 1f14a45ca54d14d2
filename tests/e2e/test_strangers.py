"""A whole run on a stranger's machine: odd paths, no home, no locks, what tools leave, and a preparation that fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.project import CONFIG, Project
from tests.project import ROOT

OUTPUT = "results/my run's; $ (best) & co"
NO_LOCKS = """
import errno, fcntl, os
def flock(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = flock
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in a folder and with an output that a shell would read as several words and commands."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_LOCKS)
    search = os.pathsep.join([str(ROOT), str(tmp_path / "site")])
    folder = tmp_path / "my project's $HOME & (co) {x}"
    made = Project(folder, HOME="/proc/nobody", OMP_NUM_THREADS="4,2", PYTHONPATH=search)
    shutil.rmtree(folder / "papers" / "hou2022-mltd")  # its figures take seconds, and the board's are drawn too
    left = folder / "tasks" / "wikiann" / "embedded" / ".ipynb_checkpoints"
    left.mkdir()
    (left / "nl-checkpoint.yaml").write_text("left by a notebook")
    return made


def test_a_run_on_a_strangers_machine(project: Project) -> None:
    """The failed preparation costs its own cells alone, and nothing appears beside what was asked for."""
    task = CONFIG["tasks"]["wikiann"]
    diverging = task | {"prepare": {"multitask": {"steps": 3, "lr": 1e30}}}
    changes = {"output": OUTPUT, "methods": ["lora", "multitask", "majority"], "tasks": {"wikiann": diverging}}
    project.configure(**changes)
    before = {path.name for path in project.folder.iterdir()}
    done = project.run()
    assert done.returncode == 1, done.stderr[-3000:]
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.count("files cannot be locked here") == 1
    assert {path.name for path in project.folder.iterdir()} - before == {".snakemake", "results"}
    assert [path.name for path in (project.folder / "results").iterdir()] == [Path(OUTPUT).name]
    out = project.folder / OUTPUT
    records = pd.read_parquet(out / "records.parquet")
    statuses = {method: set(its) for method, its in records.groupby("method").status}
    assert statuses == {"lora": {"done"}, "majority": {"done"}, "multitask": {"diverged"}}
    board = pd.read_csv(out / "leaderboard" / "wikiann.csv").set_index(["method", "budget"])
    assert board.loc[("lora", "all"), "mean"] > 0
    assert board.loc[("multitask", "all"), "statuses"] == "diverged:2"
    told = project.headstart("status", "--configfile", "run.yaml")
    assert told.stdout.count("preparation multitask wikiann all domains seed") == 2
    written = {path: path.stat().st_mtime for path in out.glob("cells/*/*/*/record.json")}
    project.configure(**changes, allow_failures=True)
    again = project.headstart("retry", "--configfile", "run.yaml", "--cores", "2")
    assert again.returncode == 0, again.stderr[-3000:]
    assert "2 cells will run again, and 2 checkpoints" in again.stdout
    assert {path.parts[-3] for path, time in written.items() if path.stat().st_mtime > time} == {"multitask"}
    assert set(pd.read_parquet(out / "records.parquet").status) == {"done", "diverged"}
    assert (out / "outcome.json").is_file()
