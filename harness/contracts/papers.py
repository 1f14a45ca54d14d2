"""Papers are discovered too, and what they name is looked for: methods, tasks, domains, reported rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.base.errors import bad
from harness.base.paths import project_root
from harness.contracts.discover import TaskFolder, methods, plug_folders, tasks
from harness.contracts.model import one_of
from harness.contracts.paper import Claim, PaperSpec, PaperTable, Reported, read_paper, read_reported


def papers(root: Path | None = None) -> dict[str, PaperSpec]:
    """Every folder under `papers/`, by id; raises UserError where one names something that does not exist."""
    root = root or project_root()
    known_methods, known_tasks, found = list(methods(root)), tasks(root), {}
    for folder in plug_folders(root / "papers", "tables.yaml"):
        found[folder.name] = paper = read_paper(folder)
        reported = read_reported(folder / "reported.csv")
        for name, table in paper.tables.items():
            where, field = folder / "tables.yaml", f"tables.{name}"
            _check_table(where, field, table, known_methods, known_tasks)
            _check_reported(where, field, table, [number for number in reported if number.table == name])
        for name, claim in paper.claims.items():
            _check_claim(folder / "claims.yaml", f"claims.{name}", claim, known_methods, known_tasks)
    return found


def _check_table(where: Path, field: str, table: PaperTable, methods: list[str], tasks: dict[str, TaskFolder]) -> None:
    """Refuse methods, a task and domains that do not exist."""
    for row, method in table.rows.items():
        one_of(method, methods, where, f"{field}.rows.{row}")
    if table.task is None:
        if table.columns:
            raise bad(where, f"{field}.columns", table.columns, "they name domains; name their task too, under `task`")
        return
    one_of(table.task, list(tasks), where, f"{field}.task")
    domains = {domain for source in tasks[table.task].spec.sources.values() for domain in source.domains}
    for column, domain in table.columns.items():
        one_of(domain, sorted(domains), where, f"{field}.columns.{column}")


def _check_reported(where: Path, field: str, table: PaperTable, reported: list[Reported]) -> None:
    """Refuse rows and columns that are not among the reported ones; a table of which nothing is reported has any."""
    pairs: list[tuple[str, Iterable[str], set[str]]] = [
        ("rows", table.rows, {number.row for number in reported}),
        ("columns", table.columns, {number.column for number in reported}),
    ]
    for what, names, known in pairs if reported else ():
        for name in names:
            one_of(name, sorted(known), where, f"{field}.{what}")


def _check_claim(where: Path, field: str, claim: Claim, methods: list[str], tasks: dict[str, TaskFolder]) -> None:
    """Refuse a task and methods that do not exist, and a method that is compared with itself."""
    one_of(claim.task, list(tasks), where, f"{field}.task")
    for side in ("better", "worse"):
        one_of(getattr(claim, side), methods, where, f"{field}.{side}")
    if claim.better == claim.worse:
        raise bad(where, f"{field}.worse", claim.worse, "it is the better one too; name another method")
