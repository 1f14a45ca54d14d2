"""The contract of a paper: what it is, its tables and its figures; its numbers stand in `reported.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.base.errors import bad
from harness.base.yaml_file import read_yaml
from harness.contracts.claim import Claim
from harness.contracts.model import Model, Strict, validate
from harness.contracts.reported import REPORTED, Reported, read_reported
from harness.contracts.task import Budgets

COSTS = (
    "preparation_seconds", "preparation_flops", "preparation_tokens", "preparation_peak_rss_mib",
    "adaptation_seconds", "prediction_seconds", "trained_parameters", "trained_share", "stored_bytes", "peak_rss_mib",
)  # fmt: skip
Cost = Literal[
    "preparation_seconds", "preparation_flops", "preparation_tokens", "preparation_peak_rss_mib",
    "adaptation_seconds", "prediction_seconds", "trained_parameters", "trained_share", "stored_bytes", "peak_rss_mib",
]  # fmt: skip
UNITS = {"as it is": 1.0, "percent": 0.01, "minutes": 60.0, "hours": 3600.0}


class Setting(Strict):
    """What the paper made a table with; null where it does not say. Compared with a run's records, field by field."""

    backbone: Annotated[list[str], Field(min_length=1)] = Field(description="names that its checkpoint goes by")
    data: str
    metric: str
    budgets: list[int] | None = None
    seeds: int | None = None
    meta_train: list[str] | None = Field(None, description="the domains of the meta-tasks, by the names of our task")
    overlap: bool | None = Field(None, description="whether the tested domains are among the meta-tasks")
    test_examples: dict[str, int] | None = Field(None, description="of each domain: by them the data are recognised")
    said: dict[str, str] = Field({}, description="what else the paper says, printed and not compared")
    recalled: bool = Field(False, description="none of this was read: it is printed as recalled, never as the paper's")

    @property
    def whose(self) -> str:
        """Who says what is here."""
        return "recalled" if self.recalled else "paper"


def _short(key: str) -> Any:
    """A validator that lets a text stand for `{key: text}`."""
    return model_validator(mode="before")(lambda value: {key: value} if isinstance(value, str) else value)


def _one_of(kinds: tuple[str, ...]) -> Any:
    """A validator that wants exactly one of several fields."""

    def check(read: Any) -> Any:
        if sum(getattr(read, kind) not in (None, False) for kind in kinds) != 1:
            raise ValueError(f"name exactly one of {', '.join(kinds)}")
        return read

    return model_validator(mode="after")(check)


class Row(Strict):
    """What stands for a row of the paper: one of our methods, or none with the reason."""

    method: str | None = None
    none: str | None = Field(None, description="why nothing of ours stands for it")
    task: str | None = Field(None, description="the table's where absent")
    backbone: int = Field(1, ge=1, description="which of the task's backbones in a run: the first, the second, ...")
    ours: bool = Field(False, description="the paper has no such row, or no number of it is known")

    _text = _short("method")
    _one = _one_of(("method", "none"))


class Column(Strict):
    """What stands for a column of the paper: a domain's score, the mean over domains, a cost, or none with the reason.

    A column may be of another task or another metric than its table. What a model judges has no counterpart in a run
    that names none, and `without` says so.
    """

    domain: str | None = None
    mean: bool = False
    cost: Cost | None = None
    none: str | None = None
    task: str | None = None
    metric: str | None = None
    without: str | None = Field(None, description="why there is nothing of ours where no model judges for the metric")
    unit: Literal["as it is", "percent", "minutes", "hours"] = "as it is"
    over: Literal["mean", "sum"] = Field("mean", description="how a cost is taken over the domains")
    ours: bool = Field(False, description="the paper has no such column, or no number of it is known")

    _text = _short("domain")
    _one = _one_of(("domain", "mean", "cost", "none"))


class PaperTable(Strict):
    """One table of a paper: which of our methods stand for its rows, which domains for its columns."""

    title: str
    task: str | None = Field(None, description="our task; null where there is none")
    metric: str
    setting: str | None = Field(None, description="the entry of `settings`; the table's own name where absent")
    budgets: Literal["largest", "all"] | Budgets = Field("largest", description="of the run, which stand in the table")
    baseline: str | None = Field(None, description="the row that signs are taken against; the first where absent")
    rows: Annotated[dict[str, Row], Field(min_length=1)]
    columns: Annotated[dict[str, Column], Field(min_length=1)]
    groups: dict[str, list[str]] = Field({}, description="headings over rows that follow each other")
    notes: list[str] = []


class Figure(Strict):
    """One panel of a figure: a line a method over steps, budgets or the values of an option; or a structure."""

    title: str
    kind: Literal["steps", "budgets", "option", "structure"]
    task: str | None = None
    metric: str = ""
    setting: str | None = None
    reported: str | None = Field(None, description="the name of its points in reported.csv")
    axis: str | None = Field(None, description="points are the columns `axis=number` there")
    option: str | None = Field(None, description="kind option: the option whose values are compared")
    lines: dict[str, Row] = {}
    edges: dict[str, str] = Field({}, description="kind structure: from one node to another, the operation")
    notes: list[str] = []


class PaperFile(Strict):
    """What `paper.yaml` may say."""

    title: str
    citation: str
    bibtex: str = ""
    url: str = ""
    tasks_to_come: list[str] = Field([], description="tasks that tables and claims may name before they exist")
    settings: dict[str, Setting] = {}


class TablesFile(Strict):
    """What `tables.yaml` may say."""

    tables: dict[str, PaperTable]


class FiguresFile(Strict):
    """What `figures.yaml` may say."""

    figures: dict[str, Figure]


class ClaimsFile(Strict):
    """What `claims.yaml` may say."""

    claims: dict[str, Claim]


class PaperSpec(PaperFile):
    """What the files of `papers/<id>/` say together."""

    tables: dict[str, PaperTable] = {}
    figures: dict[str, Figure] = {}
    claims: dict[str, Claim] = {}
    reported: list[Reported] = []

    def numbers(self, table: str) -> dict[tuple[str, str], Reported]:
        """The reported numbers of a table or figure by row and column."""
        return {(number.row, number.column): number for number in self.reported if number.table == table}

    def setting(self, name: str, stated: str | None) -> Setting | None:
        """The setting of a table or figure; None where the paper's is not known."""
        return self.settings.get(stated or name)


FILES: dict[str, type[Strict]] = {
    "paper.yaml": PaperFile,
    "tables.yaml": TablesFile,
    "figures.yaml": FiguresFile,
    "claims.yaml": ClaimsFile,
}
NEEDED = ("paper.yaml", "tables.yaml")


def read_paper(folder: Path) -> PaperSpec:
    """A paper from its files, each checked by itself; raises UserError naming the file at fault."""
    said: dict[str, Any] = {}
    for name, model in FILES.items():
        if name in NEEDED or (folder / name).is_file():
            read = _read(folder / name, model)
            said |= {key: getattr(read, key) for key in model.model_fields}
    return PaperSpec.model_construct(**said, reported=read_reported(folder / REPORTED))


def _read(file: Path, model: type[Model]) -> Model:
    content = read_yaml(file)
    for name, other in FILES.items():
        for key in content:
            if key in other.model_fields and key not in model.model_fields:
                raise bad(file, key, content[key], f"it belongs to {name}; move it there")
    return validate(model, content, file)
