"""What it costs to report on 100,000 made-up records: CPU seconds and peak memory of each rule that reads them.

Three tasks, every method that each of them takes, ten seeds, several domains and budgets; one method fails here and
there. Prints the medians of some rounds, and a digest of every file that was made, by which two states of the program
are seen to write the same bytes.

    python benchmarks/reports.py [--rounds 3] [--share 1.0] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.base.fingerprint import fingerprint
from harness.contracts.discover import Method, methods, tasks
from harness.contracts.papers import papers
from harness.contracts.plan import Block, Cell, Plan
from harness.contracts.plan_file import load_plan
from harness.contracts.task_plan import TaskPlan
from harness.plan.papers import planned_papers
from harness.record.collect import records_file
from harness.record.schema import SCHEMA

RULES = ("tables", "leaderboard", "figures", "papers", "claims", "report")
SEEDS = list(range(10))
EXAMPLES = 100
# Of each task: its domains, its budgets, the metrics beside its own, and how many numbers an example leaves.
SHAPES: dict[str, tuple[list[str], list[int], list[str], int]] = {
    "wikiann": (
        ["nl", "de", "fr", "pt", "it", "fi", "sw", "yo"],
        [16, 64, 256],
        ["f1_LOC", "f1_ORG", "f1_PER", "precision", "recall"],
        3,
    ),
    "adaptsum": (
        ["dialog", "email", "movie", "debate", "social", "science"],
        [16, 64, 256],
        ["bleu", "rouge2", "rougeL"],
        2,
    ),
    "adaptsum_lm": (["dialog", "email", "movie", "debate", "social", "science"], [8, 16, 32, 64, 128, 256], [], 2),
}
PROVENANCE = {"protocol": 1, "commit": "0" * 40, "dirty": False, "python": "3.11", "packages": {}, "processor": "any"}


def made_plan(output: str, share: float) -> Plan:
    """A plan over the tasks; `share` of the seeds, two at least."""
    found, seeds = methods(), SEEDS[: max(2, round(share * len(SEEDS)))]
    blocks = [block for task in SHAPES for block in _blocks(task, found, seeds)]
    return Plan(
        output=output,
        seeds=seeds,
        allow_failures=True,
        cell_minutes=None,
        memory_gib=None,
        tasks={task: _task(task) for task in SHAPES},
        methods={name: _about(method) for name, method in found.items()},
        data=[],
        backbones=[],
        prepares=[],
        blocks=blocks,
        adapts=[],
        scoring="",
        papers=planned_papers(papers()),
    )


def _about(method: Method) -> dict[str, Any]:
    its = method.spec
    return {"label": its.label, "control": its.control, "paper": its.paper, "kinds": its.kinds}


def _task(task: str) -> TaskPlan:
    domains, budgets, _, _ = SHAPES[task]
    spec = tasks()[task].spec
    return TaskPlan(
        label=spec.label,
        folder=f"tasks/{task}",
        kind=spec.kind,
        metric=spec.metric,
        direction=spec.direction,
        source="embedded",
        backbone="made",
        budgets=budgets,
        domains=domains,
        max_length=64,
        target_length=16,
        test_examples=None,
        overlap_allowed=False,
    )


def _blocks(task: str, found: dict[str, Method], seeds: list[int]) -> Iterator[Block]:
    """The methods that take the task's kind, each with every cell; domains and budgets share a seed's checkpoint."""
    domains, budgets, _, _ = SHAPES[task]
    for name, method in found.items():
        if method.spec.kinds and tasks()[task].spec.kind not in method.spec.kinds:
            continue
        cells = []
        for domain in domains:
            for budget in budgets:
                for seed in seeds:
                    key = fingerprint([task, name, domain, budget, seed])
                    shared = None if method.spec.control else f"prepared/{task}/{name}-s{seed}"
                    cells.append(Cell(task, name, domain, budget, seed, key, f"cells/{key}", shared))
        yield Block(task, name, [], {"steps": 80}, [], "made", cells, rates="given")


def made_records(plan: Plan) -> pa.Table:
    """Records of every cell, one row a cell and metric, as the rule `collect` writes them."""
    places = {method: number for number, method in enumerate(plan.methods)}
    rows: list[dict[str, Any]] = []
    for cell in plan.cells():
        rows += _rows(plan, cell, places[cell.method])
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _rows(plan: Plan, cell: Cell, place: int) -> list[dict[str, Any]]:
    task = plan.tasks[cell.task]
    own = np.random.default_rng([place, cell.seed, cell.budget, *map(ord, cell.task + cell.domain)])
    model = {"type": "bert", "parameters": 22_713_216, "source": "local", "from": "made", "revision": None}
    row: dict[str, Any] = {
        "task": cell.task, "method": cell.method, "domain": cell.domain, "budget": cell.budget, "seed": cell.seed,
        "source": task.source, "backbone": task.backbone, "model": json.dumps(model | {"sha256": "f" * 64}),
        "status": "done", "metric": task.metric, "primary": True, "direction": task.direction,
        "fingerprint": cell.fingerprint, "leaks": False, "dropped": "{}", "options": "{}", "report": "{}",
        "preparation_seconds": 90.0 + place, "preparation_tokens": 10_000, "preparation_flops": 1e12,
        "preparation_peak_rss_mib": 900.0, "adaptation_seconds": 2.0 + place / 10 + own.random() / 10,
        "prediction_seconds": 0.5, "peak_rss_mib": 800.0, "trained_parameters": 1000 * (1 + place),
        "model_parameters": 1_000_000, "stored_bytes": 4000 * (1 + place), "trained_share": (1 + place) / 1000,
        "rates": "given", "preparation_rates": "none", "tuning_seconds": 0.0, "provenance": json.dumps(PROVENANCE),
    }  # fmt: skip
    if place == 7 and own.random() < 0.02:  # any one method
        return [row | {"status": "error", "error": "Traceback\nRuntimeError: made"}]
    statistics, score = _scored(cell, task.metric, own, place)
    rows = [row | {"score": score, "n": EXAMPLES, "statistics": statistics.tolist()}]
    for metric in SHAPES[cell.task][2]:
        beside = row | {"metric": metric, "primary": False, "score": 0.9 * score, "n": EXAMPLES}
        rows.append(beside | {"statistics": statistics.tolist() if metric.startswith("rouge") else None})
    return rows


def _scored(cell: Cell, metric: str, own: np.random.Generator, place: int) -> tuple[np.ndarray, float]:
    """Statistics [n, s] of a cell and their score; methods later in the list are better."""
    hard = np.random.default_rng(list(map(ord, cell.domain))).normal(size=EXAMPLES)
    seed = np.random.default_rng([cell.seed, place]).normal() / 10  # a checkpoint's luck, which all its cells share
    ease = place / 30 + 0.1 * np.log(cell.budget) + seed + 0.5 * hard + own.normal(scale=0.3, size=EXAMPLES)
    if metric == "f1":
        right = own.binomial(3, 1 / (1 + np.exp(-ease)))
        table = np.stack([right, own.integers(2, size=EXAMPLES), 3 - right], axis=1).astype(np.float64)
        true, extra, missed = table.sum(axis=0)
        return table, float(200 * true / (2 * true + extra + missed))
    if metric == "perplexity":
        tokens = 10.0 + np.arange(EXAMPLES) % 7
        losses = tokens * np.exp(1.2 - 0.1 * ease)
        return np.stack([losses, tokens], axis=1), float(np.exp(losses.sum() / tokens.sum()))
    values = 100 / (1 + np.exp(-ease))
    return np.stack([values, np.ones(EXAMPLES)], axis=1), float(values.mean())


def spent(plan_file: str, rule: str, output: Any) -> None:
    """Do one rule and say what it cost, without the imports, which a run's server has."""
    from harness.cli.report import report

    begin, wall = time.process_time(), time.perf_counter()
    report(load_plan(Path(plan_file)), rule)
    # Not ru_maxrss, which a process takes over from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    output.put((time.process_time() - begin, time.perf_counter() - wall, int(peak) / 1024))


def digest(folder: Path) -> str:
    """One hash of all files that the rules made, by name and content."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name not in ("plan.json", "records.parquet"):
            whole.update(f"{file.relative_to(folder)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def main() -> None:
    """Make, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--share", type=float, default=1.0, help="of the seeds")
    options.add_argument("--folder", help="where records are kept for the next time")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(asked.folder or temporary)
        plan = replace(made_plan(str(folder), asked.share), output=str(folder))
        if not records_file(plan).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            plan.save()
            pq.write_table(made_records(plan), records_file(plan))
        print(f"{pq.read_metadata(records_file(plan)).num_rows} records, {resource.getpagesize()} bytes a page")
        total = 0.0
        for rule in RULES:
            found = [_once(str(plan.path), rule) for _ in range(asked.rounds)]
            cpu, wall, peak = (median(its[place] for its in found) for place in range(3))
            total += cpu
            print(f"{rule:<12}{cpu:>8.1f} CPU s{wall:>8.1f} s{peak:>8.0f} MiB", flush=True)
        print(f"{'all':<12}{total:>8.1f} CPU s\n{digest(folder)}")


def _once(plan_file: str, rule: str) -> tuple[float, float, float]:
    context = get_context("spawn")
    output = context.Queue()
    process = context.Process(target=spent, args=(plan_file, rule, output))
    process.start()
    found: tuple[float, float, float] = output.get()
    process.join()
    return found


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
