"""What sparse adaptations keep: the share of weights, the bytes that are stored, and whether seeds agree on a mask."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd

from harness.base.files import write_text
from harness.contracts.budget import told
from harness.contracts.plan import Plan
from harness.record.read import each_row
from harness.table.markdown import line
from harness.table.model import models_in_words
from harness.table.rows import write_rows

Place = tuple[str, str, str, int]  # task, method, domain, budget
Facts = dict[str, Any]
COLUMNS = (
    "task", "source", "model", "method", "label", "domain", "budget", "kept_share", "stored_bytes", "same_mask", "n",
    "planned",
)  # fmt: skip
HEAD = """# Sparsity

What is kept of the weights that a method works on: the weights that stay under a learned mask, the differences that
remain of a pruned one. Shares and bytes are means over the seeds that are done (n); bytes are those of the tensors that
one adapted domain needs beside the checkpoint, the head included. Whether the mask is the same over seeds is not
known of one seed. – marks a hole: no mean is taken while a planned seed is missing.
"""
NONE = "No method of this run reports a sparsity.\n"


def write_sparsity(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/tables/sparsity.csv` and `.md`, over all tasks, of the methods that report a kept share."""
    rows = list(sparsity_rows(plan, records))
    folder = Path(plan.output) / "tables"
    write_rows(folder / "sparsity.csv", COLUMNS, rows)
    write_text(folder / "sparsity.md", f"{HEAD}\n{_pipe_table(rows) if rows else NONE}")


def sparsity_rows(plan: Plan, records: pd.DataFrame) -> Iterator[dict[str, object]]:
    """A row for each method, task, domain and budget of which a finished cell reports a kept share."""
    reported = _reported(records)
    models = {task: models_in_words(records.model[records.task == task].unique()) for task in plan.tasks}
    planned = Counter((cell.task, cell.method, cell.domain, cell.budget) for cell in plan.cells())
    for place, count in planned.items():
        if place in reported:
            task, method, domain, budget = place
            yield {
                "task": task,
                "source": plan.tasks[task].source,
                "model": models[task],
                "method": method,
                "label": plan.methods[method]["label"],
                "domain": domain,
                "budget": told(budget),
                "planned": count,
            } | _kept(reported[place], count)


def _reported(records: pd.DataFrame) -> dict[Place, list[Facts]]:
    """What the finished cells report of their masks, by what all seeds share."""
    found: dict[Place, list[Facts]] = defaultdict(list)
    cell = ["task", "method", "domain", "budget", "seed"]
    names = [*cell, "report", "stored_bytes"]
    done = records.loc[(records.status == "done") & records.report.notna(), names].drop_duplicates(cell)
    for *place, _, report, stored in each_row(done, names):
        facts = json.loads(report)
        if "kept_share" in facts:
            task, method, domain, budget = place
            found[task, method, domain, int(budget)].append(facts | {"stored_bytes": float(stored)})
    return found


def _kept(seeds: list[Facts], planned: int) -> dict[str, object]:
    """The means over seeds, and whether all seeds have one mask."""
    masks, whole = {facts["mask"] for facts in seeds}, len(seeds) == planned
    return {
        "kept_share": mean(facts["kept_share"] for facts in seeds) if whole else None,
        "stored_bytes": round(mean(facts["stored_bytes"] for facts in seeds)) if whole else None,
        "same_mask": "not known" if len(seeds) < 2 else "yes" if len(masks) == 1 else "no",
        "n": len(seeds),
    }


def _pipe_table(rows: list[dict[str, object]]) -> str:
    names = ("task", "method", "domain", "training examples", "kept", "stored bytes", "same mask over seeds", "n")
    lines: list[Sequence[str]] = [names, ["---"] * 3 + ["---:"] * 3 + ["---", "---:"]]
    for row in rows:
        share, stored = row["kept_share"], row["stored_bytes"]
        kept = f"{100 * share:.3g}%" if isinstance(share, float) else "–"
        shown = [row["task"], f"`{row['method']}`", row["domain"], row["budget"], kept]
        shown += ["–" if stored is None else f"{stored:,}", row["same_mask"], f"{row['n']}/{row['planned']}"]
        lines.append([str(value) for value in shown])
    return "".join(f"{line(cells)}\n" for cells in lines)
