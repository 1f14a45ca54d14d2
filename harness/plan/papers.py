"""Which files a run makes of the papers."""

from __future__ import annotations

from harness.contracts.papers import papers

KINDS = ("md", "csv", "html", "tex")  # of tables
DRAWN = ("svg", "png", "pdf")


def planned_papers() -> dict[str, list[str]]:
    """The files of each paper: every table and every curve in every format, and its numbers as macros."""
    found = {}
    for name, paper in papers().items():
        curves = [title for title, figure in paper.figures.items() if figure.kind != "structure"]
        tables = [f"{table}.{kind}" for table in paper.tables for kind in KINDS]
        found[name] = [*tables, *(f"{curve}.{kind}" for curve in curves for kind in DRAWN), "numbers.tex"]
    return found
