"""The models that judge for metrics: planned by what tells them from others, and tried before any compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.base.errors import NotHere, bad
from harness.base.lines import Where
from harness.base.paths import expanded
from harness.contracts.plan import Plan
from harness.contracts.task import CScore
from harness.plan.backbones import files_print
from harness.score.judge import check_judge, judge_folder, judge_in


def planned_judge(asked: CScore, where: Where, field: str) -> dict[str, Any]:
    """A judge's name, commit, identity and folder; raises UserError where the folder holds none.

    The identity is the commit, or the hash of the files: where they lie changes no score.
    """
    if asked.revision is not None:
        return {"model": asked.model, "revision": asked.revision, "identity": asked.revision, "folder": ""}
    folder = Path(expanded(asked.model, where, f"{field}.model"))
    if not folder.is_dir():
        mend = "no such folder exists; name a checkpoint directory, or an id of the hub with its `revision`"
        raise NotHere(str(bad(where, f"{field}.model", asked.model, mend)))
    check_judge(folder)
    return {"model": folder.name, "revision": None, "identity": files_print(folder), "folder": str(folder)}


def check_judges(plan: Plan, fetch: bool) -> list[str]:
    """What to know of the judges, a line each; raises UserError at the first that cannot judge.

    Those of the hub are fetched where a run is about to begin, and else looked at where they are here already.
    """
    lines = []
    for task, its in plan.tasks.items():
        for metric, judge in its.judges.items():
            told = f"{metric} of {task}: {judge['model']}"
            try:
                folder = judge_folder(judge, fetch)
            except NotHere:
                if fetch:
                    raise
                lines.append(f"{told} is not here yet; it is fetched when the run begins")
                continue
            judge_in(folder)
            lines.append(f"{told} judges replies")
    return lines
