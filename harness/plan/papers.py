"""What papers ask of a run: the methods that they name on a task, and the files that are made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.contracts.paper import Figure, PaperSpec, PaperTable
from harness.contracts.row import row_name

KINDS = ("md", "csv", "html", "tex")  # of tables
DRAWN = ("svg", "png", "pdf")


def planned_papers(papers: Mapping[str, PaperSpec]) -> dict[str, list[str]]:
    """The files of each paper: every table and every curve in every format, and its numbers as macros."""
    found = {}
    for name, paper in papers.items():
        curves = [title for title, figure in paper.figures.items() if figure.kind != "structure"]
        tables = [f"{table}.{kind}" for table in paper.tables for kind in KINDS]
        found[name] = [*tables, *(f"{curve}.{kind}" for curve in curves for kind in DRAWN), "numbers.tex"]
    return found


def methods_of(part: PaperTable | Figure) -> dict[str, list[str]]:
    """The methods that a table or a figure needs on each task; of variants those that the run plans by itself."""
    found: dict[str, list[str]] = {}
    rows, columns = (part.rows, part.columns) if isinstance(part, PaperTable) else (part.lines, {})
    for row in rows.values():
        tasks = [row.task] if row.task else [column.task or part.task for column in columns.values()] or [part.task]
        for task in filter(None, tasks):
            names = found.setdefault(task, [])
            if row.method and row.method not in names:
                names.append(row.method)
    return {task: names for task, names in found.items() if names}


def named_on(task: str, papers: Iterable[PaperSpec]) -> set[str]:
    """The methods that any table, figure or claim of the papers names on a task; a variant names its base."""
    found: set[str] = set()
    for paper in papers:
        parts: list[PaperTable | Figure] = [*paper.tables.values(), *paper.figures.values()]
        for part in parts:
            found |= set(methods_of(part).get(task, []))
        for claim in paper.claims.values():
            if claim.on.task == task:
                found |= set(claim.names)
    return {row_name(name).method for name in found}
