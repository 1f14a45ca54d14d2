"""A run on a GPU, where the machine has one: every method on every kind of model, and about the scores of the CPU."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

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
CELLS = {"budgets": [4], "test_examples": 8, "train": {"steps": 3, "batch_size": 4}, "prepare": SHORT}
TEXTS = {"email": "meta_train", "debate": "meta_train", "dialog": "meta_test"}
TASKS = {
    "wikiann": CELLS | {"domains": {"en": "meta_train", "es": "meta_train", "nl": "meta_test"}},
    "adaptsum_lm": CELLS | {"domains": TEXTS},
    "adaptsum": CELLS | {"domains": TEXTS},
}
NOISY = ("tams", "tarp_tams", "mltd", "diff_pruning")  # what is drawn on a device in training is another there
BACKBONES = {
    name: {"source": "local", "path": str(ROOT / "backbones" / name)}
    for name in ("encoder", "decoder", "encoder_decoder")
}


def run_on(devices: str, folder: Path) -> Project:
    """A finished run that sees these GPUs alone."""
    made = Project(folder, CUDA_VISIBLE_DEVICES=devices)
    made.leave_papers()
    made.configure(seeds=[0], methods="all", tasks=TASKS, backbones=BACKBONES)
    done = made.run("--cores", "all")
    assert done.returncode == 0, done.stderr[-3000:]
    return made


def accelerators(project: Project) -> list[str | None]:
    """The accelerator that each record names."""
    records = pd.read_parquet(project.folder / "results" / "records.parquet")
    return [json.loads(text)["accelerator"] for text in records.provenance]


def test_every_method_runs_on_a_gpu_and_scores_about_as_on_the_cpu(tmp_path: Path) -> None:
    """Perplexity is compared, which no near tie turns over."""
    there = run_on("0", tmp_path / "gpu")
    cpu, gpu = run_on("", tmp_path / "cpu").scores(), there.scores()
    assert set(gpu.status) == {"done"}
    assert all(accelerators(there))
    text = (gpu.metric == "perplexity") & ~gpu.method.isin(NOISY)
    assert text.sum() > 30
    assert gpu[text].score.to_numpy() == pytest.approx(cpu[text].score.to_numpy(), rel=1e-4)
