"""An architecture that nobody has described: one entry in the project's own anatomy.yaml, and no other line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.backbone.load import Checkpoint
from harness.base.errors import UserError
from harness.cli.main import main
from harness.plan.entry import make_plan, release_locks
from tests.models import write_checkpoint
from tests.project import copy_project

PHI = """
phi:
  kinds: [causal-lm, token-classification]
  objective: causal
  width: hidden_size
  heads: num_attention_heads
  key_heads: num_key_value_heads
  depth: [num_hidden_layers]
  inner: [intermediate_size]
  positions: max_position_embeddings
  spread: initializer_range
  dropouts: [resid_pdrop, embd_pdrop, attention_dropout]
  stacks:
    decoder:
      layers: layers
      final: final_layernorm
      attention:
        self: {module: self_attn, query: self_attn.q_proj, key: self_attn.k_proj, value: self_attn.v_proj,
               output: self_attn.dense}
      ffn: {up: mlp.fc1, down: mlp.fc2}
"""
METHODS = ["lora", "prefix", "ia3", "mltd"]
ONE = {"steps": 1}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an anatomy.yaml of its own and a checkpoint of what it describes."""
    copy_project(tmp_path)
    (tmp_path / "anatomy.yaml").write_text(PHI)
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "checkpoint", "phi")
    write_run("adaptsum_lm", {"source": "local", "path": "checkpoint"}, METHODS)
    return tmp_path


def write_run(task: str, spec: dict[str, Any], methods: list[str]) -> None:
    """A run with one step a method on a backbone."""
    of_task = {"backbone": "mine", "budgets": [4], "test_examples": 3, "train": ONE, "max_length": 48, "prepare": {
        "meta": {"inner": ONE, "outer": {"iterations": 1}}}}  # fmt: skip
    config = {"output": "results", "seeds": [0], "methods": methods, "tasks": {task: of_task}, "rates": "given"}
    Path("run.yaml").write_text(yaml.safe_dump(config | {"backbones": {"mine": spec}}))


def test_it_is_checked_and_runs(project: Path, capsys: Any) -> None:
    assert main(["check", "--configfile", "run.yaml"]) == 0
    told = capsys.readouterr().out
    assert "backbone mine: phi, reads " in told
    assert "unsupported" not in told
    for method in METHODS:
        words = ["--task", "adaptsum_lm", "--method", method, "--domain", "dialog"]
        assert main(["run", "--configfile", "run.yaml", *words]) == 0
        release_locks()  # as the end of the process would
        assert "(n = 3)" in capsys.readouterr().out
    records = [json.loads(file.read_text()) for file in (project / "results" / "cells").glob("*/*/*/record.json")]
    assert [record["status"] for record in records] == ["done"] * len(METHODS)


def test_a_run_can_pretrain_it(project: Path, capsys: Any) -> None:
    spec = {
        "source": "pretrain",
        "architecture": "phi",
        "corpora": {"wikiann": ["meta_train"]},
        "layers": 1,
        "width": 16,
    }
    write_run("wikiann", spec | {"heads": 2, "vocabulary": 300, "steps": 1}, ["lora"])
    assert main(["run", "--configfile", "run.yaml", "--task", "wikiann", "--method", "lora", "--domain", "nl"]) == 0
    assert "(n = 3)" in capsys.readouterr().out


def test_another_description_is_another_backbone(project: Path) -> None:
    before = make_plan("run.yaml").backbones[0].fingerprint
    release_locks()
    (project / "anatomy.yaml").write_text(PHI + PHI.replace("phi:", "other:").replace("final_layernorm", "norm"))
    assert make_plan("run.yaml").backbones[0].fingerprint == before  # nor does what the run has nothing of
    release_locks()
    (project / "anatomy.yaml").write_text(PHI.replace("      final: final_layernorm\n", ""))
    assert make_plan("run.yaml").backbones[0].fingerprint != before


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("mlp.fc2", "mlp.c2", "stacks.decoder.ffn.down"),
        ("layers: layers", "layers: layrs", "stacks.decoder.layers"),
        ("self_attn.v_proj", "self_attn.value", "stacks.decoder.attention.self.value"),
        ("width: hidden_size", "width: hiden_size", "width"),
    ],
)
def test_what_it_names_and_the_model_lacks_is_refused(old: str, new: str, field: str, project: Path) -> None:
    (project / "anatomy.yaml").write_text(PHI.replace(old, new))
    with pytest.raises(UserError) as refused:
        Checkpoint(project / "checkpoint", "causal-lm")
    assert re.search(f"anatomy.yaml: line [0-9]+: phi.{field} is {new.split(': ')[-1]!r}; ", str(refused.value))
    assert old.split(": ")[-1] in str(refused.value) or field == "width"
