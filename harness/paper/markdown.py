"""A sheet as Markdown."""

from __future__ import annotations

import re

from harness.paper.sheet import HEAD, Line, Sheet
from harness.table.markdown import table

SPECIAL = re.compile(r"([\\`*_<>\[\]#|~$&])")


def to_markdown(sheet: Sheet) -> str:
    """The table under its title, with its notes."""
    lines: list[list[str]] = []
    for group, block in sheet.grouped():
        if group:
            lines.append([f"**{plain(group)}**", *[""] * (len(sheet.columns) + 1)])
        lines += [_cells(line) for line in block]
    columns = [*HEAD, *(plain(column) for column in sheet.columns)]
    notes = [f"- {plain(note)}" for note in sheet.notes]
    return "\n\n".join([f"# {plain(sheet.title)}", _unescaped_pipes(columns, lines), "\n".join(notes)]).rstrip() + "\n"


def _cells(line: Line) -> list[str]:
    first = plain(line.row) if line.heads else ""
    return [first, plain(line.name), *(plain(entry.shown) for entry in line.entries)]


def _unescaped_pipes(columns: list[str], lines: list[list[str]]) -> str:
    """`table` escapes pipes itself, and `plain` has done so too."""
    bare = [[cell.replace(r"\|", "|") for cell in line] for line in [columns, *lines]]
    return table(bare[0], len(HEAD), bare[1:])


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))
