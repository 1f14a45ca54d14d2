"""The commit of a record is the project's own, or unknown."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base import provenance as its
from harness.base.provenance import provenance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project's folders below an outer folder, the program among them, as the current folder."""
    folder = tmp_path / "outer" / "my project"
    for name in ("harness", "methods", "tasks"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("one\n")
    monkeypatch.setattr(its, "PACKAGE", folder / "harness")
    monkeypatch.chdir(folder)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "nobody")
    provenance.cache_clear()
    yield folder
    provenance.cache_clear()


def repository(folder: Path) -> str:
    """Make a repository of what is in `folder`, and return its commit."""
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return told.stdout.strip()


def state() -> tuple[str | None, bool | None]:
    found = provenance()
    return found["commit"], found["dirty"]


def test_the_projects_own_commit(project: Path) -> None:
    repository(project.parent)
    commit = repository(project)
    assert state() == (commit, False)
    provenance.cache_clear()
    (project / "methods" / "file").write_text("two\n")
    assert state() == (commit, True)


def test_another_folder_is_not_asked(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started from anywhere, by a hook of another repository too, the program's own project counts."""
    commit = repository(project)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("one\n")
    repository(elsewhere)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))
    monkeypatch.setattr(its, "project_root", lambda: project)
    assert state() == (commit, False)


@pytest.mark.parametrize("outer", [False, True])
def test_without_git_of_its_own_nothing_is_known(outer: bool, project: Path) -> None:
    if outer:
        repository(project.parent)
    assert state() == (None, None)


def test_a_program_from_elsewhere_is_not_described(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(project)
    monkeypatch.setattr(its, "PACKAGE", project.parent / "site-packages" / "harness")
    assert state() == (None, None)


def test_a_repository_without_a_commit(project: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    assert state() == (None, None)


def test_git_is_not_installed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(project)
    monkeypatch.setenv("PATH", str(project))
    assert state() == (None, None)
