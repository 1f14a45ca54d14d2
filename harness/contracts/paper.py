"""The contract of a paper: its reported numbers, its tables, and the claims that records can test."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.base.errors import bad
from harness.base.yaml_file import read_text, read_yaml
from harness.contracts.model import Model, Strict, validate
from harness.contracts.task import Budgets

Mark = Literal["published", "recreated", "digitised"]


class Reported(Strict):
    """A number of the paper: where it stands there, how it came to be there, and its source."""

    table: str
    row: str
    column: str
    value: float
    mark: Mark
    source: str


class PaperTable(Strict):
    """One table of a paper: which of our methods stand for its rows, which domains for its columns."""

    title: str
    task: str | None = Field(None, description="our task; none where there is none yet")
    metric: str
    rows: dict[str, str] = Field(description="the paper's row to our method")
    columns: dict[str, str] = Field({}, description="the paper's column to our domain")
    footnotes: list[str] = []


class Claim(Strict):
    """A sentence of a paper as a comparison over records."""

    says: str
    task: str
    better: str
    worse: str
    smallest_difference: float = Field(ge=0)
    budgets: Literal["all"] | Budgets = "all"


class PaperSpec(Strict):
    """What the files of `papers/<id>/` say together."""

    title: str
    citation: str
    tables: dict[str, PaperTable]
    claims: dict[str, Claim]


class TablesFile(Strict):
    """What `tables.yaml` may say."""

    title: str
    citation: str
    tables: dict[str, PaperTable]


class ClaimsFile(Strict):
    """What `claims.yaml` may say."""

    claims: dict[str, Claim]


def read_paper(folder: Path) -> PaperSpec:
    """A paper from its files, each checked by itself; raises UserError naming the file at fault."""
    tables = _read(folder / "tables.yaml", TablesFile, {"claims.yaml": ClaimsFile})
    claims = _read(folder / "claims.yaml", ClaimsFile, {"tables.yaml": TablesFile})
    return PaperSpec(title=tables.title, citation=tables.citation, tables=tables.tables, claims=claims.claims)


def _read(file: Path, model: type[Model], others: dict[str, type[Strict]]) -> Model:
    content = read_yaml(file)
    for name, other in others.items():
        for key in content:
            if key in other.model_fields and key not in model.model_fields:
                raise bad(file, key, content[key], f"it belongs to {name}; move it there")
    return validate(model, content, file)


def read_reported(file: Path) -> list[Reported]:
    """The paper's numbers; raises UserError naming the line at fault."""
    if not file.is_file():
        mend = f"it does not exist; write it with the columns {', '.join(Reported.model_fields)}"
        raise bad(file, "the file", file.name, mend)
    found: dict[tuple[str, str, str], Reported] = {}
    rows = csv.DictReader(io.StringIO(read_text(file), newline=""), restkey="beyond the columns")
    for row in rows:
        where = f"{file}: line {rows.line_num}"
        number = validate(Reported, row, where, texts=True)
        place = number.table, number.row, number.column
        if place in found:
            raise bad(where, "table, row and column", ", ".join(place), "they stand twice; remove one")
        found[place] = number
    return list(found.values())
