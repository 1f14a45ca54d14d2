"""A cell of each kind on checkpoints of the papers' true sizes, written to disk with random weights.

Makes each model of benchmarks/paper_sizes.yaml in the class that its real checkpoint has, saves it as a `local`
backbone and runs one cell of one training step for every task through `headstart run`: full fine-tuning, which takes
the most memory. Prints a line a cell: seconds and peak memory, or why the model cannot do the task.

    python benchmarks/real_sizes.py [MODEL ...]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoConfig, AutoModelForPreTraining

from harness.base.errors import UserError
from harness.base.files import read_json
from harness.contracts.config import Pretrained
from harness.contracts.discover import tasks
from harness.contracts.task import Sizes
from harness.data.task import load_task
from harness.plan.entry import make_plan
from harness.prepare.pretraining import train_tokenizer

METHOD = "finetune"
SCORED = {"sequence-classification": 20, "token-classification": 20}  # by kind: so that labels differ; texts cost more
SIGNS = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}


def write_checkpoint(config: dict[str, Any], folder: Path) -> None:
    """The model and a small tokenizer whose signs the model's configuration knows."""
    task = load_task(tasks()["adaptsum_lm"])
    examples = task.read_embedded("email", Sizes(train=50, dev=1, test=1))["train"]
    spec = Pretrained(source="pretrain", architecture=config["model_type"], corpora={}, vocabulary=500)
    tokenizer = train_tokenizer([task.text(example) for example in examples], spec)
    begin = {"decoder_start_token_id": SIGNS["eos_token_id"]} if "decoder_layers" in config else {}
    AutoModelForPreTraining.from_config(AutoConfig.for_model(**config, **SIGNS, **begin)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def run_cell(folder: Path, checkpoint: Path, task: str) -> str:
    """What came of one cell of one step of a task."""
    scored = SCORED.get(tasks()[task].spec.kind, 2)
    config = {
        "output": str(folder / "results"),
        "seeds": [0],
        "methods": [METHOD],
        "rates": "given",  # a search would train 18 times
        "tasks": {
            task: {"backbone": "real", "budgets": [4], "test_examples": scored, "train": {"steps": 1, "batch_size": 4}}
        },
        "backbones": {"real": {"source": "local", "path": str(checkpoint)}},
    }
    file = folder / f"{task}.yaml"
    file.write_text(yaml.safe_dump(config))
    try:
        domain = next(iter(make_plan(str(file)).cells())).domain
    except UserError as refused:  # an architecture that cannot do the task's kind
        return str(refused).removeprefix(f"{checkpoint}/")
    words = ["run", "--configfile", str(file), "--task", task, "--method", METHOD, "--domain", domain]
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", *words], check=False, capture_output=True, text=True
    )
    records = list((folder / "results" / "cells" / task / METHOD).glob("*/record.json"))
    if not records:
        return done.stderr.strip().splitlines()[-1]
    record = read_json(records[0])
    if record["status"] != "done":
        return f"{record['status']}: {record['reason']}"
    costs = record["costs"]
    on_device = costs["peak_device_mib"]
    device = "" if on_device is None else f", {on_device / 1024:.2f} GiB on the GPU"
    return (
        f"done: {costs['model_parameters'] / 1e6:.1f}M parameters, one step {costs['adaptation_seconds']:.1f} s, "
        f"peak {costs['peak_rss_mib'] / 1024:.2f} GiB{device}"
    )


def main() -> None:
    """All models, or those that are named."""
    torch.manual_seed(0)
    models = yaml.safe_load(Path(__file__).with_name("paper_sizes.yaml").read_text(encoding="utf-8"))["models"]
    for name in sys.argv[1:] or models:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_checkpoint(models[name]["config"], folder / name)
            for task in sorted(tasks()):
                print(f"{name:<28} {task:<12} {run_cell(folder, folder / name, task)}", flush=True)


if __name__ == "__main__":
    main()
