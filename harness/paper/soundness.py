"""Claims and columns that cannot be meant as they are written: `headstart check` refuses them."""

from __future__ import annotations

from pathlib import Path

from harness.base.errors import bad
from harness.base.lines import Where
from harness.contracts.claim import Claim
from harness.contracts.discover import Method, TaskFolder
from harness.contracts.model import one_of
from harness.contracts.paper import PaperSpec
from harness.contracts.papers import paper_folder
from harness.contracts.plan import Plan
from harness.contracts.row import row_name
from harness.data.task import load_task
from harness.paper.contrasts import obstacle
from harness.paper.effects import contradiction
from harness.score.scale import scale_of


def check_paper(name: str, paper: PaperSpec, methods: dict[str, Method], tasks: dict[str, TaskFolder]) -> None:
    """Refuse columns that no run can fill, claims that none can answer, and those that the paper's cells contradict."""
    _check_metrics(paper_folder(name) / "tables.yaml", paper, tasks)
    where = paper_folder(name) / "claims.yaml"
    for title, claim in paper.claims.items():
        field = f"claims.{title}"
        if told := contradiction(paper, claim):
            raise bad(where, f"{field}.reported", claim.name_of_reported, told)
        _check_scale(where, field, claim)
        task = tasks.get(claim.on.task)
        for method in claim.names if task else ():
            kinds = methods[row_name(method).method].spec.kinds
            if task and kinds is not None and task.spec.kind not in kinds:
                mend = f"it is not for tasks of kind {task.spec.kind}, so no run can answer; name another method"
                raise bad(where, f"{field}.methods", method, mend)


def _check_metrics(where: Path, paper: PaperSpec, tasks: dict[str, TaskFolder]) -> None:
    """Refuse a column of a metric that cells of its task have no score of."""
    for name, table in paper.tables.items():
        for title, column in table.columns.items():
            task = tasks.get(column.task or table.task or "")
            if column.metric is not None and task is not None and task.id not in paper.tasks_to_come:
                one_of(column.metric, load_task(task).measured, where, f"tables.{name}.columns.{title}.metric")


def _check_scale(where: Path, field: str, claim: Claim) -> None:
    """Scores are compared on their metric's scale, costs by ratio; a trend of a place is on an axis of its own."""
    if claim.kind == "trend" and claim.backbones > 1:
        return
    wanted = "log_ratio" if claim.kind == "cost" else scale_of(claim.on.metric)
    if claim.scale != wanted:
        raise bad(
            where, f"{field}.scale", claim.scale, f"{'costs' if claim.costs else claim.on.metric} compares on {wanted}"
        )


def check_asked(plan: Plan, papers: dict[str, PaperSpec], where: Where) -> None:
    """Refuse a configuration that can never answer the claims that it names."""
    asked = plan.config.get("claims", [])
    known = {f"{paper}/{title}": claim for paper, spec in papers.items() for title, claim in spec.claims.items()}
    for name in asked:
        one_of(name, known, where, "claims")
        if found := obstacle(plan, known[name]):
            raise bad(where, "claims", name, f"{found.words}, so this run can never answer it; add that or remove it")
        if len(plan.seeds) < 2:
            raise bad(where, "claims", name, "a single seed tells nothing of others, so this run can never answer it")
