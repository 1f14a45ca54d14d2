"""Checkpoints with the real models' class names, as `local` backbones, each run a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.main import main
from tests.models import write_checkpoint
from tests.project import copy_project

CASES = [
    ("bert", "wikiann", "nl"),
    ("roberta", "wikiann", "nl"),
    ("gpt2", "adaptsum_lm", "dialog"),
    ("bart", "adaptsum", "dialog"),
]


@pytest.mark.parametrize(("architecture", "task", "domain"), CASES)
def test_a_local_checkpoint_runs_a_cell(
    architecture: str, task: str, domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    copy_project(tmp_path)
    write_checkpoint(tmp_path / "checkpoint", architecture)
    config = {
        "output": "results",
        "seeds": [0],
        "rates": "given",
        "methods": ["lora"],
        "tasks": {
            task: {"backbone": "mine", "budgets": [4], "test_examples": 3, "train": {"steps": 1}, "max_length": 48}
        },
        "backbones": {"mine": {"source": "local", "path": "checkpoint"}},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    words = ["--configfile", "run.yaml", "--task", task, "--method", "lora", "--domain", domain]
    assert main(["run", *words]) == 0
    assert "(n = 3)" in capsys.readouterr().out
    assert main(["predictions", *words]) == 0
    assert "predicted" in capsys.readouterr().out
