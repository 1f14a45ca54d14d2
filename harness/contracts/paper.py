"""The contract of a paper: its reported numbers, its tables, and the claims that records can test."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.base.errors import bad
from harness.contracts.model import Strict, validate

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
    budgets: Literal["all"] | list[int] = "all"


class PaperSpec(Strict):
    """What `papers/<id>/tables.yaml` and `claims.yaml` say together."""

    title: str
    citation: str
    tables: dict[str, PaperTable]
    claims: dict[str, Claim]


def read_reported(path: Path) -> list[Reported]:
    """The paper's numbers; raises UserError naming the line at fault."""
    if not path.is_file():
        mend = f"it does not exist; write it with the columns {', '.join(Reported.model_fields)}"
        raise bad(path, "the file", path.name, mend)
    with open(path, encoding="utf-8", newline="") as file:
        return [validate(Reported, row, f"{path}: line {number}") for number, row in enumerate(csv.DictReader(file), 2)]
