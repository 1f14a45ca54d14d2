"""The finished run that end-to-end tests look at, or copy and go on from."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.e2e.project import Project, once

SAID = "said.json"  # what the finished run said, then the same run again, and the files of results that this touched

PATIENCE = 60.0  # seconds


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A whole run, started twice, which may be looked at alone."""

    def make(folder: Path) -> None:
        project = Project(folder)
        done = project.run()
        assert done.returncode == 0, done.stderr[-3000:]
        gone(folder / "results" / ".server")
        before = times(folder / "results")
        again = project.run()
        assert again.returncode == 0, again.stderr[-3000:]
        touched = [name for name, time in times(folder / "results").items() if time != before.get(name)]
        told = {"first": done.stderr, "again": again.stderr + again.stdout, "touched": touched}
        (folder / SAID).write_text(json.dumps(told))

    return once(tmp_path_factory, "finished", make)


def gone(server: Path) -> None:
    """Wait until a run's server has ended, which is up to a second after its run: its last note is of that run."""
    begin = time.monotonic()
    while server.exists() and time.monotonic() < begin + PATIENCE:
        time.sleep(0.05)
    assert not server.exists(), "the run's server did not end with it"


def times(folder: Path) -> dict[str, float]:
    """When each file of a folder was written last."""
    return {str(path.relative_to(folder)): path.stat().st_mtime for path in folder.glob("**/*") if path.is_file()}
