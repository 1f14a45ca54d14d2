"""The rule `score`: scores beside every finished cell of a task."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.adapt.failure import failure_of, forget_failure, leave_failure
from harness.adapt.record import PREDICTIONS, SCORES, Status, along_file, read_record
from harness.base.files import read_json, read_lines, write_json
from harness.base.fingerprint import hash_file
from harness.base.progress import say
from harness.contracts.method import Kind
from harness.contracts.plan import Cell, Plan
from harness.contracts.task import JUDGED
from harness.contracts.task_plan import TaskPlan
from harness.score.judge import judge_folder
from harness.score.version import scoring_code

# `evaluate` imports transformers' pipelines, and with them torch, for a part that is not used here.
_spared = "transformers" not in sys.modules
if _spared:
    sys.modules["transformers"] = None  # type: ignore[assignment]
import evaluate  # noqa: E402

if _spared:
    del sys.modules["transformers"]

# For each kind: its metrics, and the key of an example under which each one's reference stands. Numbers have others.
METRICS: dict[Kind, dict[str, str]] = {
    "token-classification": {"entity_f1": "tags"},
    "sequence-classification": {"classification": "label"},
    "causal-lm": {"perplexity": "id"},
    "summarization": dict.fromkeys(("rouge", "bleu"), "summary"),
    "data-to-text": dict.fromkeys(("bleu", "nist", "meteor", "rouge", "cider"), "references"),
    "dialogue": {"dialogue": "turns", "c_score": "persona"},
}
OF_NUMBERS = {"correlation": "label"}


@cache
def metric(name: str) -> evaluate.Metric:
    """One of our `evaluate` metrics, made as it stands here.

    `evaluate.load` would copy its code below the home and lock files there, and not every home can be written.
    """
    module = importlib.import_module(f"harness.score.metrics.{name}")
    own = (its for its in vars(module).values() if isinstance(its, type) and its.__module__ == module.__name__)
    (kind,) = (its for its in own if issubclass(its, evaluate.Metric))
    with tempfile.TemporaryDirectory() as unused:  # it makes a folder of its own; the data stay in memory
        made: evaluate.Metric = kind(keep_in_memory=True, cache_dir=unused)
    return made


def score_rows(
    kind: Kind,
    rows: list[dict[str, Any]],
    options: Mapping[str, dict[str, Any]] | None = None,
    judges: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Scores, their statistics and the options they were made with; each row holds an example and what was `predicted`.

    `options` are by metric, and by each score in what is returned. A score that is not defined is None, and
    `undefined` says why. `judges` are the folders of models that judge for metrics; one without its own is left out.
    """
    wanted = METRICS[kind]
    if rows and isinstance(rows[0][next(iter(wanted.values()))], float):
        wanted = OF_NUMBERS
    found: dict[str, Any] = {"scores": {}, "statistics": {}, "options": {}, "undefined": {}, "n": len(rows)}
    for name, reference in wanted.items():
        if name in JUDGED and name not in (judges or {}):
            continue
        chosen = (options or {}).get(name, {})
        given = {"judge": str(judges[name])} if judges and name in judges else chosen
        its = metric(name).compute(
            predictions=[row["predicted"] for row in rows], references=[row[reference] for row in rows], **given
        )
        found["scores"] |= its["scores"]
        found["statistics"] |= its["statistics"]
        found["undefined"] |= its.get("undefined", {})
        found["options"] |= dict.fromkeys(its["scores"], chosen)
    return found


def score_cell(cell: Cell, task: TaskPlan) -> Status | None:
    """Score a finished cell unless its scores are those of these predictions, this code and these options.

    Returns its status. A method may predict what cannot be scored: the cell then counts as failed, and the others are
    scored all the same. Its record stays, so that mending a metric trains nothing again.
    """
    folder = Path(cell.folder)
    forget_failure(folder)
    record = read_record(folder, cell.fingerprint)
    if record is None or record["status"] != "done":
        return record["status"] if record else None
    options = task.options_of(cell.domain)
    along = [along_file(folder, int(its["point"])) for its in record["costs"].get("along", [])[:-1]]
    key = [scoring_code(), options, *(hash_file(file) for file in (folder / PREDICTIONS, *along))]
    if (folder / SCORES).is_file() and read_json(folder / SCORES)["key"] == key:
        return "done"
    try:
        kind: Kind = task.kind  # type: ignore[assignment]
        judges = {metric: judge_folder(its) for metric, its in task.judges.items()}
        scores = score_rows(kind, read_lines(folder / PREDICTIONS), options, judges)
        if along:  # the last point is the cell itself
            scores["along"] = [score_rows(kind, read_lines(file), options, judges) for file in along]
    except Exception as error:
        failure = failure_of("scoring", error)
        leave_failure(folder, failure)
        return failure.status
    write_json(folder / SCORES, scores | {"key": key})
    return "done"


def score_task(plan: Plan, task: str) -> None:
    """Score every finished cell of a task and leave the mark that says so."""
    cells = [cell for block in plan.blocks if block.task == task for cell in block.cells]
    scored = sum(score_cell(cell, plan.tasks[task]) == "done" for cell in cells)
    say(f"{task}: {scored} of {len(cells)} cells have scores")
    write_json(Path(plan.scored(task)), {"cells": len(cells), "scored": scored})
