"""CPU seconds a cell: a run of the harness against one process a cell with transformers' Trainer and PEFT.

Runs the default's fine-tuning and LoRA on each task below in a folder of its own, all that Snakemake and its jobs use
counted and spread over the cells, then the same cells, a sample of them, by benchmarks/peer.py: the same backbone,
examples, steps, batches, lengths and test examples. One thread each. Prints both, their ratio and both scores, and how
much of ours trains and predicts: the ratio that would be left without all the rest bounds what less overhead can bring.

    python benchmarks/grid.py [TASK ...]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import mean, median
from typing import Any

import pandas as pd
import yaml

from harness.base.files import read_lines
from harness.contracts.config import DEFAULT
from harness.contracts.plan import Plan
from harness.contracts.plan_file import load_plan
from harness.data.splits import few

TASKS = ("wikiann", "adaptsum_lm", "adaptsum")
METHODS = ("finetune", "lora")
SAMPLE = 6  # cells of each task that the peer runs


def used() -> float:
    """CPU seconds of all children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def run_ours(task: str, folder: Path) -> tuple[Plan, float]:
    """A run of the default's task with two methods; its CPU seconds a cell."""
    content = yaml.safe_load(Path(DEFAULT).read_text(encoding="utf-8"))
    content |= {"output": f"{folder}/results", "methods": list(METHODS), "tasks": {task: content["tasks"][task]}}
    for spec in content["backbones"].values():
        spec["path"] = str(Path(spec["path"]).resolve())
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(content))
    before = used()
    command = [sys.executable, "-m", "snakemake", "--quiet", "all", "--cores", "1", "--configfile", str(file)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    time.sleep(2)  # the run's server ends, and notes what it used, after Snakemake has
    forked = pd.read_csv(folder / "results" / "logs" / "cpu.csv", names=["what", "seconds"])
    plan = load_plan(folder / "results" / "plan.json")
    return plan, (used() - before + float(forked.seconds.sum())) / len(list(plan.cells()))


def as_a_peer_reads_it(plan: Plan, record: Any, folder: Path) -> Path:
    """A cell's examples and settings as files for benchmarks/peer.py."""
    task, data = plan.tasks[record.task], Path(plan.data_of(record.task).folders[record.domain])
    learned = few(read_lines(data / "train.jsonl"), record.budget, record.task, record.domain, record.seed)
    for part, rows in (("train", learned), ("test", read_lines(data / "test.jsonl")[: task.test_examples])):
        (folder / f"{part}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    train = record.train if isinstance(record.train, dict) else json.loads(record.train)
    generation = json.loads(record.generation) if isinstance(record.generation, str) else {}
    content: dict[str, Any] = {
        "kind": task.kind,
        "method": record.method,
        "checkpoint": plan.backbone(task.backbone).checkpoint,
        "folder": str(folder),
        "train": str(folder / "train.jsonl"),
        "test": str(folder / "test.jsonl"),
        "steps": train["steps"],
        "batch_size": train["batch_size"],
        "lr": train["lr"],
        "seed": int(record.seed),
        "max_length": task.max_length,
        "target_length": task.target_length,
        "num_beams": generation.get("num_beams", 1),
    }
    file = folder / "cell.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def run_theirs(file: Path) -> tuple[float, float]:
    """CPU seconds of the peer's process, and its score."""
    before = used()
    command = [sys.executable, str(Path(__file__).with_name("peer.py")), str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return used() - before, float(done.stdout.strip().splitlines()[-1])


def compare(task: str) -> None:
    """One task: both costs, their ratio, and both mean scores of the sample."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plan, ours = run_ours(task, folder)
        records = pd.read_parquet(folder / "results" / "records.parquet").query("primary")
        sample = [records.iloc[place] for place in Random(0).sample(range(len(records)), SAMPLE)]
        theirs = [run_theirs(as_a_peer_reads_it(plan, record, folder)) for record in sample]
    seconds = median(spent for spent, _ in theirs)
    arithmetic = records.arithmetic_cpu_seconds.mean()
    scores = mean(record.score for record in sample), mean(score for _, score in theirs)
    print(
        f"{task:<12} ours {ours:6.2f} ({arithmetic:.2f} to train and predict), theirs {seconds:6.2f} CPU s a cell: "
        f"{seconds / ours:5.1f} times, {seconds / arithmetic:.1f} without all else of ours; "
        f"mean score of {SAMPLE} cells: ours {scores[0]:.2f}, theirs {scores[1]:.2f}",
        flush=True,
    )


def main() -> None:
    """The tasks that are named, or all."""
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    for task in sys.argv[1:] or TASKS:
        compare(task)


if __name__ == "__main__":
    main()
