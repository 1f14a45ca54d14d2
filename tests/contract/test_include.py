"""A method in a folder outside the project computes a cell, with modules of its own beside its method.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.contracts.folders import include
from harness.plan.entry import make_plan
from tests import project as use
from tests.project import CONFIG

METHOD = """from __future__ import annotations

from harness.contracts.adaptation import Adaptation


class Doubled(Adaptation):
    factor: float = 2.0

    def attach(self, backbone):
        from .modules import Scale

        for dense in backbone.dense_layers("ffn"):
            dense.weigh(Scale(self.factor))
"""
MODULES = """import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, weight):
        return weight * self.factor
"""
TASK = {"budgets": [4], "domains": {"biology": "meta_train", "music": "meta_test"}, "test_examples": 3}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder beside a small project, with a method of two files, and a run of it."""
    project, bench = tmp_path / "project", tmp_path / "my-bench"
    project.mkdir()
    use.copy_project(project)
    monkeypatch.chdir(project)
    use.text("methods/doubled/method.yaml", "label: D\nsummary: D.\nadapt: doubled\ntrain: {steps: 1}\n")(bench)
    use.text("methods/doubled/method.py", METHOD)(bench)
    use.text("methods/doubled/modules.py", MODULES)(bench)
    backbones = {"english_decoder": use.backbone("gpt2", "wikitext", max_length=160)}
    run = {"include": ["../my-bench"], "methods": ["doubled"], "tasks": {"wikitext": TASK}, "backbones": backbones}
    use.config(**run)(project)
    yield bench
    include([])


def test_a_method_outside_the_project_computes_a_cell(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--configfile", CONFIG, "--task", "wikitext", "--method", "doubled"]) == 0
    assert "wikitext doubled music k=4 seed 0: perplexity" in capsys.readouterr().out


def test_what_stands_beside_a_methods_code_is_part_of_its_fingerprint(bench: Path) -> None:
    (before,) = make_plan(CONFIG).cells()
    use.edit("methods/doubled/modules.py", "weight * self.factor", "weight * 1.0")(bench)
    (after,) = make_plan(CONFIG).cells()
    assert after.fingerprint != before.fingerprint
