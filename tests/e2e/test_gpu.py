"""A run on a GPU, where the machine has one: every method on every kind of model, and about the scores of the CPU."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.e2e.project import Project
from tests.project import ROOT

pytestmark = pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="this machine has no GPU")

SHORT = {
    **{name: {"steps": 2} for name in ("dapt", "tapt", "sdpt", "multitask", "fusion")},
    "cmaml": {"meta": {"outer": {"iterations": 2}}},
    "meta": {"outer": {"iterations": 2, "meta_batch": 2, "query": 4}},
}
CELLS: dict[str, Any] = {"budgets": [4], "train": {"steps": 3, "batch_size": 4}, "prepare": SHORT}
FEW = CELLS | {"test_examples": 8}
TEXTS = {"email": "meta_train", "debate": "meta_train", "dialog": "meta_test"}
TEXT_TASK = {"adaptsum_lm": FEW | {"domains": TEXTS}}
TASKS: dict[str, dict[str, Any]] = TEXT_TASK | {
    "wikiann": FEW | {"domains": {"en": "meta_train", "es": "meta_train", "nl": "meta_test"}},
    "adaptsum": FEW | {"domains": TEXTS},
    "glue": CELLS | {"domains": {"entailment": "meta_train", "answering": "meta_train", "sentiment": "meta_test"}},
    "nlg": FEW | {"domains": {"trains": "meta_train", "buildings": "meta_train", "boats": "meta_test"}},
    "persona": CELLS | {"scored_domains": 1},
    "wikitext": FEW | {"domains": {"biology": "meta_train", "history": "meta_train", "music": "meta_test"}},
}
NOISY = ("tams", "tarp_tams", "mltd", "diff_pruning")  # what is drawn on a device in training is another there
BACKBONES = {
    folder.name: {"source": "local", "path": str(folder)}
    for folder in (ROOT / "backbones").iterdir()
    if folder.is_dir()
}


def run_on(devices: str, folder: Path, tasks: dict[str, dict[str, Any]]) -> Project:
    """A finished run that sees these GPUs alone."""
    made = Project(folder, CUDA_VISIBLE_DEVICES=devices)
    made.leave_papers()
    made.configure(seeds=[0], methods="all", tasks=tasks, backbones=BACKBONES)
    done = made.run("--cores", "all")
    assert done.returncode == 0, done.stderr[-3000:]
    return made


def accelerators(project: Project) -> list[str | None]:
    """The accelerator that each record names."""
    records = pd.read_parquet(project.folder / "results" / "records.parquet")
    return [json.loads(text)["accelerator"] for text in records.provenance]


def test_every_method_runs_on_a_gpu_and_scores_about_as_on_the_cpu(tmp_path: Path) -> None:
    """The perplexity of one task is compared, which no near tie turns over."""
    there = run_on("0", tmp_path / "gpu", TASKS)
    gpu, cpu = there.scores(), run_on("", tmp_path / "cpu", TEXT_TASK).scores()
    assert set(gpu.task) == set(TASKS)
    assert set(gpu.status) == {"done"}
    assert all(accelerators(there))
    scores = [run[run.task.isin(TEXT_TASK) & ~run.method.isin(NOISY)].set_index("method").score for run in (gpu, cpu)]
    assert len(scores[0]) > 30
    assert dict(scores[0]) == pytest.approx(dict(scores[1]), rel=1e-4)
