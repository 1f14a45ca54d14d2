"""Killed at any moment and started again, a run ends with the same scores; two runs do not meet."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.e2e.project import Project, kill_all, kill_snakemake_alone, wait_until


def test_killed_runs_end_with_the_same_scores(finished: Project, tmp_path: Path) -> None:
    """Three kills in one run: in the backbone, in a block, and of Snakemake alone."""
    project = Project(tmp_path / "killed")
    project.leave_papers()
    results = project.folder / "results"
    moments: list[tuple[Callable[[], bool], Callable[[subprocess.Popen[str]], None]]] = [
        (lambda: any(results.glob("backbones/.*")), kill_all),
        (lambda: any(results.glob("cells/*/*/*/record.json")), kill_snakemake_alone),
        (lambda: len(list(results.glob("cells/*/*/*/record.json"))) >= random.Random(3).randint(3, 6), kill_all),
    ]
    for arrived, kill in moments:
        running = project.start()
        wait_until(lambda running=running, arrived=arrived: arrived() or running.poll() is not None)  # type: ignore[misc]
        kill(running)
    last = project.run()
    assert last.returncode == 0, last.stderr[-3000:]
    pd.testing.assert_frame_equal(project.scores(), finished.scores(), check_exact=True)


def test_a_second_run_says_so_and_leaves(tmp_path: Path) -> None:
    project = Project(tmp_path / "twice")
    running = project.start()
    try:
        lock = project.folder / "results" / ".lock"
        wait_until(lambda: lock.is_file() and lock.read_text() == str(running.pid))
        os.kill(running.pid, signal.SIGSTOP)  # or it could be complete before the second has begun
        second = project.run()
        assert second.returncode == 2
        assert "another run is at work here" in second.stderr
        assert "Traceback" not in second.stderr
    finally:
        kill_all(running)
