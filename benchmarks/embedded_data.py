"""Write docs/embedded-data.md: samples, sizes, and how hard each embedded task is.

Needs the tables of a default run. Runs full fine-tuning on all training data beside it.

    python benchmarks/embedded_data.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from harness.base.files import read_json, read_lines, write_text
from harness.cli.look import readable
from harness.contracts.config import DEFAULT
from harness.contracts.discover import tasks
from harness.contracts.plan import Plan
from harness.plan.entry import make_plan

ALL_DATA = "results/all-data"
HEAD = """# Embedded data

Written by `benchmarks/embedded_data.py`. Every embedded task is generated from grammars in its own folder
(`tasks/<id>/embedded/*.yaml`): word lists and frames in real language, written for this project and under
its licence. The same code gives the same text on every machine. Frames and entities are divided: those of
the test split never occur in train. Unlabeled text uses all frames and names, and holds no test example.

These tasks exist to run the whole machine anywhere. Their numbers say nothing about the papers' data.
"""
SAMPLED = 3  # domains that are shown of a sample


def run_all_data() -> Plan:
    """Fine-tuning on the whole train split of every target domain."""
    content: dict[str, Any] = yaml.safe_load(Path(DEFAULT).read_text())
    content |= {"output": ALL_DATA, "methods": ["finetune"]}
    for name, run in content["tasks"].items():
        sizes = tasks()[name].spec.sources["embedded"].sizes
        assert sizes is not None
        run["budgets"] = [sizes.train]
        # Four times the steps: with the few-shot number most of the data would never be read.
        run["train"] = {**run["train"], "steps": 4 * run["train"]["steps"]}
    file = Path(ALL_DATA) / "run.yaml"
    write_text(file, yaml.safe_dump(content))
    shutil.copytree("results/data", Path(ALL_DATA) / "data", dirs_exist_ok=True)
    subprocess.run([sys.executable, "-m", "snakemake", "--cores", "all", "--configfile", str(file)], check=True)
    return make_plan(str(file))


def difficulty(plan: Plan, whole: Plan, task: str) -> list[str]:
    """Means over domains: controls, fine-tuning and the best method by budget, fine-tuning on all data."""
    table = pd.read_csv(Path(plan.output) / "tables" / f"{task}.csv")
    full = pd.read_csv(Path(whole.output) / "tables" / f"{task}.csv")
    table, full = table[table.domain == "mean"], full[full.domain == "mean"]
    budgets = plan.tasks[task].budgets
    rows = [table[table.method == name] for name in table[table.control].method.unique()]
    finetuned = table[table.method == "finetune"]
    rows += [finetuned] if len(finetuned) else []
    lines = ["| | " + " | ".join(f"k = {budget}" for budget in budgets) + " | all data |"]
    lines.append("|---|" + "---:|" * (len(budgets) + 1))
    for own in rows:
        values = [_shown(value) for value in own.sort_values("budget")["mean"]]
        last = _shown(full["mean"].iloc[0]) if own.method.iloc[0] == "finetune" else ""
        lines.append(f"| {own.label.iloc[0]} | " + " | ".join(values) + f" | {last} |")
    if not len(finetuned):  # a task whose papers do not fine-tune the bare backbone
        lines.append("| Fine-tuning |" + " – |" * len(budgets) + f" {_shown(full['mean'].iloc[0])} |")
    best = table[~table.control].groupby("budget")["mean"]
    values = best.max() if plan.tasks[task].direction == "max" else best.min()
    lines.append("| best method | " + " | ".join(_shown(values[budget]) for budget in budgets) + " | |")
    return lines


def _shown(value: float) -> str:
    """A mean, or the sign of a hole: a correlation of constant answers is not defined."""
    return "–" if pd.isna(value) else f"{value:.1f}"


def samples(plan: Plan, task: str, count: int = 2) -> list[str]:
    """The first test examples of each domain, or of a few where the domains are a sample."""
    lines = []
    job = plan.data_of(task)
    shown = SAMPLED if plan.tasks[task].domains_are == "sample" else None
    for domain, folder in list(job.folders.items())[:shown]:
        lines += [f"**{domain}** ({job.roles[domain]})", "", "```"]
        for row in read_lines(Path(folder) / "test.jsonl")[:count]:
            if "tags" in row:
                lines += readable({**row, "predicted": row["tags"]}).splitlines()[:2]
            elif "label" in row:
                lines += [*(row[field] for field in ("text", "pair") if field in row), f"=> {row['label']}"]
            elif "references" in row:
                lines += [row["record"], *(f"=> {text}" for text in row["references"])]
            elif "turns" in row:
                lines += [" ".join(row["persona"]), *(f"{said}\n=> {reply}" for said, reply in row["turns"])]
            else:
                lines += [row.get("text") or f"{row['document']}\n=> {row['summary']}"]
        lines += ["```", ""]
    return lines


def main() -> None:
    """Run, read, write."""
    whole, plan = run_all_data(), make_plan(DEFAULT)
    lines = [HEAD]
    for task, its in plan.tasks.items():
        folders = plan.data_of(task).folders
        sizes = read_json(Path(next(iter(folders.values()))) / "manifest.json")["splits"]
        counted = ", ".join(f"{split} {size['examples']}" for split, size in sizes.items())
        lines += [f"## {its.label} (`{task}`)", "", f"{len(folders)} domains; examples a domain: {counted}.", ""]
        lines += [f"How hard it is ({its.metric_in_words}, mean over the meta_test domains):", ""]
        lines += [*difficulty(plan, whole, task), "", "Test examples:", "", *samples(plan, task)]
    write_text(Path("docs/embedded-data.md"), "\n".join(lines))


if __name__ == "__main__":
    main()
