"""One cell on checkpoints of the papers' true sizes, written to disk with random weights.

Makes gpt2-medium's and bart-base's configurations, saves them as `local` backbones, runs one cell of
one training step on each through `headstart run`, and prints seconds and peak memory.

    python benchmarks/real_sizes.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import BartConfig, BartForConditionalGeneration, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from harness.base.files import read_json
from harness.contracts.config import Pretrained
from harness.contracts.discover import tasks
from harness.contracts.task import Sizes
from harness.data.task import load_task
from harness.prepare.pretraining import train_tokenizer

# The published configurations' sizes; what is not named is the class's default.
GPT2_MEDIUM = {"n_embd": 1024, "n_layer": 24, "n_head": 16, "n_positions": 1024, "vocab_size": 50257}
BART_BASE = {
    "d_model": 768,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "encoder_attention_heads": 12,
    "decoder_attention_heads": 12,
    "encoder_ffn_dim": 3072,
    "decoder_ffn_dim": 3072,
    "vocab_size": 50265,
}


def write_checkpoint(model: PreTrainedModel, architecture: str, folder: Path) -> None:
    """The model and a small tokenizer whose signs the model's configuration knows."""
    task = load_task(tasks()["adaptsum_lm"])
    examples = task.read_embedded("email", Sizes(train=50, dev=1, test=1))["train"]
    spec = Pretrained(source="pretrain", architecture=architecture, corpora={}, vocabulary=500)  # type: ignore[arg-type]
    tokenizer = train_tokenizer([task.text(example) for example in examples], spec)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def run_cell(folder: Path, checkpoint: Path, task: str, method: str) -> dict[str, Any]:
    """The costs of one cell with one step."""
    config = {
        "output": str(folder / "results"),
        "seeds": [0],
        "methods": [method],
        "tasks": {
            task: {"backbone": "real", "budgets": [4], "test_examples": 2, "train": {"steps": 1, "batch_size": 4}}
        },
        "backbones": {"real": {"source": "local", "path": str(checkpoint)}},
    }
    file = folder / f"{task}.yaml"
    file.write_text(yaml.safe_dump(config))
    words = ["run", "--configfile", str(file), "--task", task, "--method", method, "--domain", "dialog"]
    subprocess.run([sys.executable, "-m", "harness.cli.main", *words], check=True)
    record = next((folder / "results" / "cells" / task / method).glob("*/record.json"))
    costs: dict[str, Any] = read_json(record)["costs"]
    return costs


def main() -> None:
    """Both models, full fine-tuning (the most memory) and LoRA."""
    torch.manual_seed(0)
    made = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    cases = (
        ("gpt2-medium", "gpt2", "adaptsum_lm", lambda: GPT2LMHeadModel(GPT2Config(**GPT2_MEDIUM, **made))),
        (
            "bart-base",
            "bart",
            "adaptsum",
            lambda: BartForConditionalGeneration(BartConfig(**BART_BASE, **made, decoder_start_token_id=2)),
        ),
    )
    for name, architecture, task, build in cases:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_checkpoint(build(), architecture, folder / name)
            for method in ("finetune", "lora"):
                costs = run_cell(folder, folder / name, task, method)
                print(
                    f"{name:<12} {method:<9} {costs['model_parameters'] / 1e6:6.1f}M parameters, "
                    f"one step {costs['adaptation_seconds']:5.1f} s, peak {costs['peak_rss_mib'] / 1024:5.2f} GiB"
                )


if __name__ == "__main__":
    main()
