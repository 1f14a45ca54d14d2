"""Write docs/choices.md: what the choices that the papers leave open do to the scores.

Each row of choices.yaml is a method beside itself with another choice, on the meta_dev domains of the embedded
tasks: whoever chooses by this page has not read the domains that are scored.

    python benchmarks/choices.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import yaml

from harness.base.files import write_text
from harness.base.yaml_file import read_yaml
from harness.contracts.config import DEFAULT, merged
from harness.contracts.discover import Method, methods
from harness.contracts.plan import Plan
from harness.plan.entry import make_plan
from harness.record.collect import collect
from harness.score.scale import Scale
from harness.table.comparison import compare
from harness.table.leaderboard import task_board
from harness.table.markdown import difference, probability, table, with_interval
from harness.table.pivot import POWER
from harness.table.rows import ALL, Row, value_of
from harness.table.scores import TaskScores

ROWS, PAGE = Path("benchmarks/choices.yaml"), Path("docs/choices.md")
PROJECT, CONFIG = Path("results/choices"), "choices.yaml"
BUDGETS, SEEDS = [16, 64], [0, 1, 2, 3, 4]
HEAD = f"""# Choices

Written by `benchmarks/choices.py`. The papers leave things open (`docs/decisions.md`); here a method stands beside
itself with one thing chosen otherwise, all else alike. So are the rates: those tuned for what is chosen, and where a
preparation stands before it, which was not tuned, those of method.yaml. Embedded data, so the numbers say nothing
about the papers' data.
Scores are means over k = {BUDGETS[0]} and {BUDGETS[1]} and {len(SEEDS)} seeds on the meta_dev domain, with 95%
intervals (perplexities as logarithms, so geometric means); *better by* is how much the chosen one is better, of
perplexities by how many percent the other's is larger. The unit is the seed, test examples are the second part of the
variance. p belongs to that interval; p (Holm) is corrected over the rows of a method on a task; *detectable* is the
true difference that would be seen in {POWER:.0%} of such runs.
"""


def name_of(row: dict[str, Any]) -> str:
    """The id of the method that chooses otherwise."""
    return re.sub(r"\W+", "_", f"{row['method']} {row['open']} {row['other']}").strip("_").lower()


def write_variant(folder: Path, row: dict[str, Any], base: Method) -> None:
    """The folder of a method with another choice: the method's own, with the change laid over its method.yaml."""
    shutil.copytree(base.folder, folder / "methods" / name_of(row), dirs_exist_ok=True)
    content = read_yaml(base.folder / "method.yaml")
    content["adapt"] = base.spec.adapt
    content = merged(content, row["change"]) | {"label": f"{base.spec.label} ({row['open']}: {row['other']})"}
    write_text(folder / "methods" / name_of(row) / "method.yaml", yaml.safe_dump(content, sort_keys=False))


def make_project(folder: Path, rows: list[dict[str, Any]]) -> None:
    """A copy of the project with a method for every row, and a run of them on the meta_dev domains."""
    for part in ("methods", "tasks", "papers", "profiles"):
        shutil.copytree(part, folder / part, dirs_exist_ok=True)
    shutil.copy("Snakefile", folder)
    for row in rows:
        write_variant(folder, row, methods()[row["method"]])
    whole = make_plan(DEFAULT)
    config: dict[str, Any] = whole.config | {"output": "results", "seeds": SEEDS, "methods": "all", "leave_out": []}
    for spec in config["backbones"].values():
        spec["path"] = str(Path(spec["path"]).absolute())
    config["tasks"] = {task: config["tasks"][task] for task in dict.fromkeys(row["task"] for row in rows)}
    for task, run in config["tasks"].items():
        its = [row for row in rows if row["task"] == task]
        run["methods"] = sorted({name for row in its for name in (row["method"], name_of(row))})
        run |= {"budgets": BUDGETS, "domains": dev_domains(whole, task)}
    write_text(folder / CONFIG, yaml.safe_dump(config, sort_keys=False))


def dev_domains(whole: Plan, task: str) -> dict[str, str]:
    """A task's domains by role, with meta_dev scored in meta_test's place."""
    roles = {name: role for name, role in whole.data_of(task).roles.items() if role != "meta_test"}
    return {name: "meta_test" if role == "meta_dev" else role for name, role in roles.items()}


def measured(rows: list[dict[str, Any]]) -> list[list[str]]:
    """The page's lines; the current folder is the project that ran."""
    plan = make_plan(CONFIG)
    records = collect(plan)
    found: dict[tuple[str, str], dict[object, Row]] = {}
    for task, method in dict.fromkeys((row["task"], row["method"]) for row in rows):
        ids = [method, *(name_of(row) for row in rows if (row["task"], row["method"]) == (task, method))]
        board = [its for its in task_board(plan, records, task) if its["method"] in ids]
        compared = compare(TaskScores(plan, records, task), board, method)
        found[task, method] = {its["method"]: its for its in compared if its["budget"] == ALL}
    return [line(row, found[row["task"], row["method"]]) for row in rows]


def line(row: dict[str, Any], of_method: dict[object, Row]) -> list[str]:
    """One row of the page, from what was found of each method by its id."""
    chosen, other = of_method[row["method"]], of_method[name_of(row)]
    digits = 1 if chosen["direction"] == "max" else 2

    def score(its: Row) -> str:
        mean = value_of(its, "mean")
        return "–" if mean is None else with_interval(mean, value_of(its, "low"), value_of(its, "high"), digits)

    scale: Scale = chosen["scale"]  # type: ignore[assignment]
    found, seen = value_of(other, "difference"), value_of(other, "smallest_detectable")
    ends = value_of(other, "difference_low"), value_of(other, "difference_high")
    return [
        f"{row['open']}: {row['chosen']}",
        str(row["other"]),
        f"`{row['method']}`",
        f"{row['task']}, {chosen['metric']}",
        score(chosen),
        score(other),
        "–" if found is None else difference(scale, found, *ends),
        probability(value_of(other, "p_value")),
        probability(value_of(other, "p_holm")),
        "–" if seen is None else difference(scale, seen),
    ]


def main() -> None:
    """Make the project, run it, and write the page."""
    rows = yaml.safe_load(ROWS.read_text(encoding="utf-8"))
    make_project(PROJECT, rows)
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--configfile", CONFIG]
    subprocess.run(command, cwd=PROJECT, env=os.environ | {"PYTHONPATH": str(Path.cwd())}, check=True)
    with chdir(PROJECT):
        lines = measured(rows)
    columns = [
        "chosen",
        "other",
        "method",
        "task, metric",
        "score",
        "the other's",
        "better by",
        "p",
        "p (Holm)",
        "detectable",
    ]
    write_text(PAGE, HEAD + "\n" + table(columns, 4, lines) + "\n")


if __name__ == "__main__":
    main()
