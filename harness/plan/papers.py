"""Which files a run makes of the papers."""

from __future__ import annotations

from harness.contracts.papers import papers

KINDS = ("md", "csv", "html", "tex")


def planned_papers() -> dict[str, list[str]]:
    """The files of each paper: every table in every format, and its numbers as macros."""
    return {
        name: [*(f"{table}.{kind}" for table in paper.tables for kind in KINDS), "numbers.tex"]
        for name, paper in papers().items()
    }
