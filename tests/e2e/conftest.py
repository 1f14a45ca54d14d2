"""The finished run that end-to-end tests look at, or copy and go on from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.project import Project, once, wait_until

SAID = "said.json"  # what the finished run said, then the same run again, and the files of results that this touched


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A whole run, started twice, which may be looked at alone."""

    def make(folder: Path) -> None:
        project = Project(folder)
        done = project.run()
        assert done.returncode == 0, done.stderr[-3000:]
        # A run's server ends up to a second after its run, and its last note is of that run.
        wait_until(lambda: not (folder / "results" / ".server").exists())
        before = times(folder / "results")
        again = project.run()
        assert again.returncode == 0, again.stderr[-3000:]
        touched = [name for name, time in times(folder / "results").items() if time != before.get(name)]
        told = {"first": done.stderr, "again": again.stderr + again.stdout, "touched": touched}
        (folder / SAID).write_text(json.dumps(told))

    return once(tmp_path_factory, "finished", make)


def times(folder: Path) -> dict[str, float]:
    """When each file of a folder was written last."""
    return {str(path.relative_to(folder)): path.stat().st_mtime for path in folder.glob("**/*") if path.is_file()}
