"""The contract of `reported.csv`: a number of the paper a line, read with the decimals that the paper prints."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from harness.base.errors import bad
from harness.base.yaml_file import read_text
from harness.contracts.model import Strict, one_of, validate

REPORTED = "reported.csv"
Mark = Literal["own", "quoted", "recreated", "digitised"]
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def _printed(value: Any) -> Any:
    """A number as the file may hold it, so that its decimals can be counted."""
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        raise ValueError(
            "write digits and a decimal point alone, no comma, sign of percent or power of ten; what stands behind ± "
            "is the uncertainty, and a place without a number has no line"
        )
    return value


def _unknown(value: Any) -> Any:
    """An empty field is an unknown number."""
    return None if value == "" else _printed(value)


class Reported(Strict):
    """A number of the paper: where it stands there, how it came to be there, and its source."""

    table: str
    row: str
    column: str
    metric: str
    value: Annotated[float, BeforeValidator(_printed)]
    uncertainty: Annotated[float | None, BeforeValidator(_unknown)] = None
    uncertainty_is: str = ""
    mark: Mark
    quoted_from: str = ""
    source: Annotated[str, Field(min_length=1)]
    note: str = ""
    # Of the file rather than in it.
    digits: int = Field(0, exclude=True, description="decimals as printed")
    line: int = Field(0, exclude=True, description="where it stands")

    @property
    def place(self) -> tuple[str, str, str]:
        """What names the number: no two have the same."""
        return self.table, self.row, self.column


COLUMNS = [name for name, its in Reported.model_fields.items() if not its.exclude]
NEEDED = [name for name in COLUMNS if Reported.model_fields[name].is_required()]


def read_reported(file: Path) -> list[Reported]:
    """The paper's numbers; raises UserError naming the line at fault."""
    if not file.is_file():
        mend = f"it does not exist; write it with the columns {', '.join(COLUMNS)}"
        raise bad(file, "the file", file.name, mend)
    found: dict[tuple[str, str, str], Reported] = {}
    for line, fields in _lines(file):
        where = f"{file}: line {line}"
        number = validate(Reported, fields, where, texts=True)
        if number.place in found:
            raise bad(where, "table, row and column", ", ".join(number.place), "they stand twice; remove one")
        found[number.place] = number.model_copy(update={"digits": _decimals(fields["value"]), "line": line})
    return list(found.values())


def _lines(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The fields of each line by their columns, with the line's number; what is empty is no line."""
    rows = csv.reader(io.StringIO(read_text(file), newline=""))
    columns: list[str] = []
    for fields in ([field.strip() for field in row] for row in rows):
        where = f"{file}: line {rows.line_num}"
        if not any(fields):
            continue
        if not columns:
            columns = fields
            _check_columns(columns, where)
        elif len(fields) != len(columns):
            mend = (
                f"the columns are {len(columns)}: put a text with a comma in quotes, end a quote where it ends, and "
                "write decimals with a point"
            )
            raise bad(where, "the number of fields", len(fields), mend)
        else:
            yield rows.line_num, dict(zip(columns, fields, strict=True))


def _check_columns(columns: Sequence[str], where: str) -> None:
    """Refuse a first line that does not name the columns."""
    for place, name in enumerate(columns):
        one_of(name, COLUMNS, where, "a column", "the columns stand in the first line, with commas between them; {}")
        if name in columns[:place]:
            raise bad(where, "a column", name, "it stands twice; remove one")
    for name in NEEDED:
        if name not in columns:
            raise bad(where, "a column", name, "it is missing; add it")


def _decimals(value: str) -> int:
    """The decimals of a value as the paper prints it."""
    whole, _, decimals = value.partition(".")
    return 0 if set(decimals) <= {"0"} and len(whole) > 3 else len(decimals)
