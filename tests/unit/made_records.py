"""A plan and its records, made up: what tables, leaderboards and figures are tested on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from harness.contracts.plan import Block, Cell, Plan
from harness.contracts.task_plan import TaskPlan
from harness.record.schema import COLUMNS

LABELS = {"alpha": "Alpha | one", "beta": "Beta", "gamma": "Gamma", "zero": "Zero-shot"}
METRICS = {"ner": "f1", "lm": "perplexity", "sums": "rouge1"}
LEAKY = ("leaky",)
EXAMPLES = 40
SIZES = {"tiny": 22_713_216, "large": 40_000_000}  # parameters of the backbones
MODEL = {
    "type": "bert",
    "parameters": SIZES["tiny"],
    "source": "local",
    "from": "mini",
    "revision": None,
    "sha256": "f" * 64,
}
Hole = tuple[str, str, str, int, int]  # task, method, domain, budget, seed


def made_plan(output: str, tasks: tuple[str, ...] = ("ner", "lm"), **changes: Any) -> Plan:
    """A plan over `tasks`, of which `ner@large` is another on a second backbone; the control is `zero`.

    Changes: seeds, domains, budgets, methods, source, overlap.
    """
    seeds, domains = list(changes.get("seeds", [0, 1, 2])), list(changes.get("domains", ["nl", "fi"]))
    budgets, methods = list(changes.get("budgets", [8, 32])), dict(changes.get("methods", LABELS))
    blocks = []
    for task in tasks:
        for method in methods:
            cells = []
            for domain in domains:
                for budget in budgets:
                    for seed in seeds:
                        # Seeds have checkpoints of their own; domains and budgets share them.
                        checkpoint = None if method == "zero" else f"prepared/{task}/{method}-s{seed}"
                        name = f"{task}-{method}-{domain}-{budget}-{seed}"
                        cells.append(Cell(task, method, domain, budget, seed, name, f"cells/{name}", checkpoint))
            blocks.append(Block(task, method, [], {}, [], _backbone(task), cells))
    return Plan(
        output=output,
        seeds=seeds,
        allow_failures=False,
        cell_minutes=None,
        memory_gib=None,
        tasks={
            task: replace(
                _task_plan(task, domains, budgets, changes),
                others=[other for other in tasks if other.startswith(f"{task}@")],
            )
            for task in tasks
        },
        methods={
            name: {"label": label, "control": name.startswith("zero"), "paper": None, "kinds": []}
            for name, label in methods.items()
        },
        data=[],
        backbones=[],
        prepares=[],
        blocks=blocks,
        adapts=[],
        scoring="",
    )


def made_records(
    plan: Plan, levels: Mapping[str, float] | None = None, holes: Mapping[Hole, str] | None = None, noise: float = 1.0
) -> pd.DataFrame:
    """Records of every cell: `levels` say how good a method is, or a task's, `holes` which cells ended how."""
    rows: list[dict[str, Any]] = []
    for cell in plan.cells():
        row = _cell_row(plan, cell)
        status = (holes or {}).get((cell.task, cell.method, cell.domain, cell.budget, cell.seed), "done")
        if status != "done":
            rows.append(row | {"status": status, "error": "Traceback"})
            continue
        said = levels or {}
        level = said.get(f"{cell.task} {cell.method}", said.get(cell.method, 1.0)) + 0.1 * np.log(cell.budget)
        statistics, score = made_statistics(plan.tasks[cell.task].metric, cell, level, noise)
        row |= {"score": score, "n": EXAMPLES, "statistics": statistics, "status": "done"} | _costs(cell)
        rows.append(row)
        rows.append(row | {"metric": "beside", "primary": False, "statistics": None, "score": score / 2})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def made_statistics(metric: str, cell: Cell, level: float, noise: float) -> tuple[list[list[float]], float]:
    """Statistics [n, s] of a cell and their score; a higher level is better under each metric."""
    shared = np.random.default_rng(EXAMPLES + sum(map(ord, cell.domain)))  # how hard each example is
    own = np.random.default_rng([cell.seed, cell.budget, *map(ord, cell.method + cell.domain)])
    ease = level + 0.3 * noise * shared.normal(size=EXAMPLES) + noise * own.normal(scale=0.1)
    if metric == "f1":
        found = own.binomial(3, 1 / (1 + np.exp(-ease)))
        table = np.stack([found, own.integers(2, size=EXAMPLES), 3 - found], axis=1).astype(float)
        true, wrong, missed = table.sum(axis=0)
        return table.tolist(), float(200 * true / (2 * true + wrong + missed))
    tokens = shared.integers(5, 20, size=EXAMPLES)
    if metric == "perplexity":
        nll = tokens * np.exp(1.5 - 0.3 * ease)
        return np.stack([nll, tokens], axis=1).tolist(), float(np.exp(nll.sum() / tokens.sum()))
    values = 100 / (1 + np.exp(-ease))
    return np.stack([values, np.ones(EXAMPLES)], axis=1).tolist(), float(values.mean())


def _cell_row(plan: Plan, cell: Cell) -> dict[str, Any]:
    task = plan.tasks[cell.task]
    return {
        "task": cell.task,
        "method": cell.method,
        "domain": cell.domain,
        "budget": cell.budget,
        "seed": cell.seed,
        "source": task.source,
        "backbone": task.backbone,
        "model": json.dumps(MODEL | {"parameters": SIZES[task.backbone]}) if cell.method != "zero" else None,
        "metric": task.metric,
        "score": None,
        "n": None,
        "primary": True,
        "direction": task.direction,
        "fingerprint": cell.fingerprint,
        "leaks": cell.method in LEAKY,
        "preparation_seconds": 12.0 if cell.checkpoint else 0.0,
        "preparation_flops": 1e9 if cell.checkpoint else 0.0,
        "preparation_peak_rss_mib": 300.0 if cell.checkpoint else 0.0,
    }


def _costs(cell: Cell) -> dict[str, Any]:
    if cell.method == "zero":
        return {"adaptation_seconds": 0.5, "prediction_seconds": 0.0, "peak_rss_mib": 90.0}
    return {
        "adaptation_seconds": 2.0 + cell.seed,
        "prediction_seconds": 1.0,
        "peak_rss_mib": 100.0 + cell.seed,
        "trained_parameters": 100,
        "trained_share": 0.01,
        "model_parameters": 10_000,
        "stored_bytes": 400,
    }


def _backbone(task: str) -> str:
    return task.partition("@")[2] or "tiny"


def _task_plan(task: str, domains: list[str], budgets: list[int], changes: dict[str, Any]) -> TaskPlan:
    base = task.partition("@")[0]
    return TaskPlan(
        label=f"The task {task}",
        folder=f"tasks/{base}",
        kind="token-classification" if METRICS[base] == "f1" else "causal-lm",
        metric=METRICS[base],
        direction="min" if METRICS[base] == "perplexity" else "max",
        source=changes.get("source", "embedded"),
        backbone=_backbone(task),
        budgets=budgets,
        domains=domains,
        max_length=64,
        target_length=16,
        test_examples=None,
        overlap_allowed=changes.get("overlap", False),
    )
