"""The rule `score`: scores beside every finished cell of a task."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.adapt.record import PREDICTIONS, SCORES, read_record
from harness.base.files import read_json, read_lines, write_json
from harness.base.fingerprint import hash_file
from harness.base.progress import say
from harness.contracts.method import Kind
from harness.contracts.plan import Cell, Plan, TaskPlan
from harness.score.version import scoring_code

# `evaluate` imports transformers' pipelines, and with them torch, for a part that is not used here.
_spared = "transformers" not in sys.modules
if _spared:
    sys.modules["transformers"] = None  # type: ignore[assignment]
import evaluate  # noqa: E402

if _spared:
    del sys.modules["transformers"]

# For each kind: its metrics, and the key of an example under which the reference stands.
METRICS: dict[Kind, tuple[tuple[str, ...], str]] = {
    "token-classification": (("entity_f1",), "tags"),
    "causal-lm": (("perplexity",), "id"),
    "summarization": (("rouge", "bleu"), "summary"),
}


@cache
def metric(name: str) -> evaluate.Metric:
    """One of our `evaluate` metrics, loaded from the repository, so without a hub."""
    return evaluate.load(str(Path(__file__).parent / "metrics" / f"{name}.py"), keep_in_memory=True)


def score_rows(
    kind: Kind, rows: list[dict[str, Any]], options: Mapping[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Scores, their statistics and the options they were made with; each row holds an example and what was `predicted`.

    `options` are by metric, and by each score in what is returned.
    """
    names, reference = METRICS[kind]
    found: dict[str, Any] = {"scores": {}, "statistics": {}, "options": {}, "n": len(rows)}
    for name in names:
        chosen = (options or {}).get(name, {})
        its = metric(name).compute(
            predictions=[row["predicted"] for row in rows], references=[row[reference] for row in rows], **chosen
        )
        found["scores"] |= its["scores"]
        found["statistics"] |= its["statistics"]
        found["options"] |= dict.fromkeys(its["scores"], chosen)
    return found


def score_cell(cell: Cell, task: TaskPlan) -> bool:
    """Score a finished cell unless its scores are those of these predictions, this code and these options."""
    folder = Path(cell.folder)
    record = read_record(folder, cell.fingerprint)
    if record is None or record["status"] != "done":
        return False
    key = [scoring_code(), task.metrics, hash_file(folder / PREDICTIONS)]
    if (folder / SCORES).is_file() and read_json(folder / SCORES)["key"] == key:
        return False
    found = score_rows(task.kind, read_lines(folder / PREDICTIONS), task.metrics)  # type: ignore[arg-type]
    write_json(folder / SCORES, found | {"key": key})
    return True


def score_task(plan: Plan, task: str) -> None:
    """Score every finished cell of a task and leave the mark that says so."""
    new = 0
    blocks = [block for block in plan.blocks if block.task == task]
    for block in blocks:
        new += sum(score_cell(cell, plan.tasks[task]) for cell in block.cells)
    say(f"{task}: scored {new} cells, {sum(len(block.cells) for block in blocks)} in all")
    write_json(Path(plan.scored(task)), {"scored": new})
