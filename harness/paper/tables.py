"""The rule `papers`: every table of every paper beside ours, as Markdown, CSV, HTML and LaTeX, and all numbers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness.base.files import write_text
from harness.contracts.paper import PaperSpec
from harness.contracts.papers import papers
from harness.contracts.plan import Plan
from harness.paper.evidence import Evidence
from harness.paper.fill import Filler
from harness.paper.html import to_html
from harness.paper.latex import to_latex, to_macros
from harness.paper.markdown import to_markdown
from harness.paper.sheet import Sheet
from harness.table.rows import write_rows

COLUMNS = ("table", "row", "whose", "name", "column", "kind", "text", "value", "low", "high", "mark", "why")


def write_papers(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/papers/<id>/<table>.md`, `.csv`, `.html`, `.tex` of every table, and `numbers.tex`."""
    evidence, found = Evidence(plan, records), papers()
    for name in plan.papers:
        sheets = paper_sheets(evidence, found[name])
        folder = Path(plan.output) / "papers" / name
        for sheet in sheets:
            write_text(folder / f"{sheet.name}.md", to_markdown(sheet))
            write_text(folder / f"{sheet.name}.html", to_html(sheet))
            write_text(folder / f"{sheet.name}.tex", to_latex(sheet))
            write_rows(folder / f"{sheet.name}.csv", COLUMNS, to_rows(sheet))
        write_text(folder / "numbers.tex", to_macros(name, sheets))


def paper_sheets(evidence: Evidence, paper: PaperSpec) -> list[Sheet]:
    """Every table of a paper, filled."""
    return [Filler(evidence, paper, name, table).sheet() for name, table in paper.tables.items()]


def to_rows(sheet: Sheet) -> list[dict[str, object]]:
    """A sheet as rows of a CSV file, one a place; text is as it was given."""
    return [
        {
            "table": sheet.name,
            "row": line.row,
            "whose": line.whose,
            "name": line.name,
            "column": column,
            "kind": entry.kind,
            "text": entry.text,
            "value": entry.value,
            "low": entry.low,
            "high": entry.high,
            "mark": entry.mark,
            "why": entry.why,
        }
        for line in sheet.lines
        for column, entry in zip(sheet.columns, line.entries, strict=True)
    ]
