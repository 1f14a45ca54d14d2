"""A copy of the project in a folder of its own, with a run of a few cells."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.project import ROOT, copy_project

CONFIG: dict[str, Any] = {
    "output": "results",
    "seeds": [0, 1],
    "rates": "given",
    "methods": ["finetune", "lora", "dapt", "majority"],
    "tasks": {
        "wikiann": {
            "budgets": [4],
            "domains": {"en": "meta_train", "nl": "meta_test"},
            "test_examples": 20,
            "train": {"steps": 3, "batch_size": 16, "lr": 1e-3},
            "prepare": {"dapt": {"steps": 2, "batch_size": 16, "lr": 1e-3}},
        }
    },
    "backbones": {
        "encoder": {
            "source": "pretrain",
            "architecture": "bert",
            "corpora": {"wikiann": ["meta_train"]},
            "layers": 2,
            "width": 32,
            "heads": 2,
            "vocabulary": 400,
            "steps": 5,
        }
    },
}


class Project:
    """The project's folders, a configuration, and Snakemake runs in it, with environment variables of its own.

    They are written where they do not stand yet.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder, self.variables = folder, variables
        if not (folder / "Snakefile").exists():
            copy_project(folder)
            self.configure()

    def copied(self, folder: Path, papers: bool = True) -> Project:
        """A copy that a test may change; tables and figures of papers take seconds a run, and may be left out."""
        # A run's server outlives it by a moment, and its socket is no file that could be copied.
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(".server"))
        its = Project(folder, **self.variables)
        if not papers:
            its.leave_papers()
        return its

    def leave_papers(self) -> None:
        """Do without the papers."""
        shutil.rmtree(self.folder / "papers")

    def configure(self, **changes: Any) -> None:
        """Write the configuration with some keys replaced."""
        (self.folder / "run.yaml").write_text(yaml.safe_dump(CONFIG | changes))

    def command(self, *words: str) -> list[str]:
        """A Snakemake run of the project's configuration."""
        return [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "run.yaml", *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.command(*words), cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False
        )

    def start(self) -> subprocess.Popen[str]:
        """Start a run in a process group of its own."""
        return subprocess.Popen(
            self.command(),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def headstart(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a `headstart` command."""
        command = [sys.executable, "-m", "harness.cli.main", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False
        )

    def environment(self) -> dict[str, str]:
        """This process's environment, offline, with the package of this checkout, and the project's own variables."""
        usual = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        return os.environ | usual | self.variables

    def records(self) -> dict[str, float]:
        """When each cell's record was written, by the cell's folder."""
        found = (self.folder / "results" / "cells").glob("*/*/*/record.json")
        return {str(path.parent.relative_to(self.folder)): path.stat().st_mtime for path in found}

    def scores(self) -> pd.DataFrame:
        """What the records say, without times and provenance."""
        records = pd.read_parquet(self.folder / "results" / "records.parquet")
        columns = ["task", "method", "domain", "budget", "seed", "status", "metric", "score", "n", "fingerprint"]
        return records[columns].sort_values(columns[:7]).reset_index(drop=True)

    def leaderboard(self) -> pd.DataFrame:
        """The leaderboard of the one task."""
        return pd.read_csv(self.folder / "results" / "leaderboard" / "wikiann.csv")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Project:
    """The project that `make` leaves in a folder: made once a session, by whichever of its workers asks first."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, made = root / name, root / f"{name}.made"
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            made.touch()
    return Project(folder)


def kill_all(process: subprocess.Popen[str]) -> None:
    """SIGKILL for Snakemake and every worker."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_snakemake_alone(process: subprocess.Popen[str]) -> None:
    """SIGKILL for Snakemake; its workers must notice by themselves."""
    process.kill()
    process.wait()


def wait_until(holds: Callable[[], bool], seconds: float = 300.0) -> None:
    """Wait for a condition; fail where it never holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
