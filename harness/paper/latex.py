"""A sheet as a LaTeX table with booktabs, and every number as a macro."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.paper.letters import of_latex
from harness.paper.sheet import HEAD, Line, Sheet

PACKAGES = r"\usepackage[T1]{fontenc}\usepackage{textcomp,booktabs,graphicx}"
FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}"
NUMBERS = r"""% Every number of the tables of {paper}, as \headstart{{table/row/column/whose}}.
\providecommand{{\headstart}}[1]{{%
  \ifcsname headstart:#1\endcsname\csname headstart:#1\endcsname\else
  \errmessage{{headstart: there is no number #1}}\fi}}
"""


def to_latex(sheet: Sheet) -> str:
    """The table as a float, shrunk where it is wider than the page; its preamble needs PACKAGES."""
    width = len(HEAD) + len(sheet.columns)
    lines = [_row([*HEAD, *sheet.columns])]
    for place, (group, block) in enumerate(sheet.grouped()):
        if group:
            rule = [r"\midrule"] if place else []
            lines += [*rule, rf"\multicolumn{{{width}}}{{l}}{{\emph{{{escaped(group)}}}}} \\"]
        lines += [_line(line) for line in block]
    body = [lines[0], r"\midrule", *lines[1:]]
    notes = [rf"\par\footnotesize {escaped(note)}" for note in sheet.notes]
    return "\n".join(
        [
            f"% needs {PACKAGES}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(sheet.title)}}}",
            rf"\label{{tab:{slug(sheet.name)}}}",
            FITTED + r"{%",
            rf"\begin{{tabular}}{{ll{'r' * len(sheet.columns)}}}",
            r"\toprule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            *notes,
            r"\end{table}",
            "",
        ]
    )


def to_macros(paper: str, sheets: Sequence[Sheet]) -> str:
    """Every number of some sheets, as `\\headstart{table/row/column/whose}` gives it back."""
    lines, taken = [NUMBERS.format(paper=slug(paper))], set[str]()
    for sheet in sheets:
        for line in sheet.lines:
            for column, entry in zip(sheet.columns, line.entries, strict=True):
                if entry.kind != "number":
                    continue
                name = _untaken("/".join(map(slug, (sheet.name, line.row, column, line.whose))), taken)
                lines.append(rf"\expandafter\def\csname headstart:{name}\endcsname{{{escaped(entry.text)}}}")
    return "\n".join(lines) + "\n"


def _untaken(name: str, taken: set[str]) -> str:
    """`name`, with a number where two labels differ in nothing but signs."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


def slug(label: str) -> str:
    """A label as letters, digits, points and hyphens, which every reader of a name takes."""
    return re.sub(r"[^a-z0-9.]+", "-", label.lower().replace("+", " plus ")).strip("-") or "none"


def _line(line: Line) -> str:
    first = line.row if line.heads else ""
    return _row([first, line.name, *(entry.shown for entry in line.entries)])


def _row(cells: Sequence[str]) -> str:
    # A row that begins with [ would be read as the option of the \\ before it.
    return (
        " & ".join(f"{{{escaped(cell)}}}" if cell.startswith(("[", "*")) else escaped(cell) for cell in cells) + r" \\"
    )


def escaped(text: str) -> str:
    """Text that LaTeX shows as it is."""
    return "".join(map(of_latex, " ".join(text.split())))
