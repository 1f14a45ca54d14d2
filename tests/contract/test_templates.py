"""The folders that `headstart new` writes pass `headstart check` and run as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.main import main
from tests.project import backbone, copy_project

TINY = backbone("gpt2", "notes")


def test_a_new_task_and_a_new_method_run_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["new", "task", "notes"]) == 0
    assert main(["new", "method", "mine"]) == 0
    config: dict[str, Any] = {
        "output": "results",
        "seeds": [0],
        "methods": ["mine"],
        "tasks": {"notes": {"train": {"steps": 2}, "budgets": [4]}},
        "backbones": {"decoder": TINY},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    assert main(["check", "--configfile", "run.yaml"]) == 0
    assert "all is well" in capsys.readouterr().out
    assert main(["run", "--configfile", "run.yaml", "--task", "notes", "--method", "mine"]) == 0
    assert "perplexity" in capsys.readouterr().out


def test_a_name_that_stands_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    (tmp_path / "methods" / "mine").mkdir(parents=True)
    (tmp_path / "tasks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["new", "method", "mine"]) == 2
    assert main(["new", "method", "Not-A-Name"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert all(line.startswith("headstart: ") for line in told)
