"""Papers are discovered too, and what they name is looked for: methods, tasks, domains, reported rows and columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import bad
from harness.contracts.claim import Claim
from harness.contracts.discover import TaskFolder, methods, tasks
from harness.contracts.folders import found_in
from harness.contracts.model import one_of
from harness.contracts.paper import COSTS, FILES, Column, Figure, PaperSpec, PaperTable, Row, read_paper
from harness.contracts.reported import REPORTED
from harness.contracts.row import row_name
from harness.contracts.task import JUDGED

RESERVED = ("claims", "numbers")  # files of every paper
NO_NUMBER = f"{REPORTED} has no number of it, which only `ours: true` allows; {{}}"
IN_REPORTED = f"{REPORTED} has no such number; {{}}"
A_ROW = "it is no method, and a row without any is {{none: why}}; {}"
A_COLUMN = "it is no domain of the task, and other columns are {{mean: true}}, {{cost: ...}} or {{none: why}}; {}"
NO_POINT = f"{REPORTED} has no point of it; {{}}"


def papers(root: Path | None = None) -> dict[str, PaperSpec]:
    """Every folder under `papers/`, by id; raises UserError where one names something that does not exist.

    A project need not have any.
    """
    folders, found = found_in("papers", "paper.yaml", root), {}
    known_methods, known_tasks = (list(methods(root)), tasks(root)) if folders else ([], {})
    for folder in folders:
        found[folder.name] = paper = read_paper(folder)
        _Check(folder, paper, known_methods, known_tasks).everything()
    return found


def paper_folder(name: str, root: Path | None = None) -> Path:
    """The folder of a paper that there is."""
    return next(folder for folder in found_in("papers", "paper.yaml", root) if folder.name == name)


def paper_files(name: str, root: Path | None = None) -> list[str]:
    """The files that a paper is read from, as far as they exist; below the current folder without the way to it.

    That may hold signs that Snakemake reads as wildcards.
    """
    folder = paper_folder(name, root)
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    return [str(file) for file in (folder / each for each in (*FILES, REPORTED)) if file.is_file()]


@dataclass(frozen=True)
class _Check:
    """Looks for what one paper names: in reported numbers, tables, figures, settings and claims, in this order."""

    folder: Path
    paper: PaperSpec
    methods: list[str]
    tasks: Mapping[str, TaskFolder]

    def everything(self) -> None:
        """Raise UserError at the first name that is none."""
        self._read()
        for name, table in self.paper.tables.items():
            self._table(name, table)
        for name, figure in self.paper.figures.items():
            self._figure(name, figure)
        self._settings()
        for name, claim in self.paper.claims.items():
            self._name(self.folder / "claims.yaml", "claims", name)
            self._claim(self.folder / "claims.yaml", f"claims.{name}", claim)
        self._shown()

    def _name(self, where: Path, field: str, name: str, reserved: Iterable[str] = ()) -> None:
        """Refuse what cannot be a part of a path or an address."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or name in reserved:
            none = f", and none of {', '.join(reserved)}" if reserved else ""
            raise bad(where, field, name, f"use letters, digits, _ and -{none}")

    def _table(self, name: str, table: PaperTable) -> None:
        where, field = self.folder / "tables.yaml", f"tables.{name}"
        self._name(where, "tables", name, RESERVED)
        self._task(where, f"{field}.task", table.task)
        if table.setting is not None:
            one_of(table.setting, list(self.paper.settings), where, f"{field}.setting")
        self._rows(where, f"{field}.rows", table.rows)
        for title, column in table.columns.items():
            task = column.task or table.task
            self._task(where, f"{field}.columns.{title}.task", column.task)
            if column.without and column.metric not in JUDGED:
                mend = f"it is for what a model judges, {' and '.join(JUDGED)}; remove it"
                raise bad(where, f"{field}.columns.{title}.without", column.without, mend)
            if column.domain is not None and task is None:
                raise bad(where, f"{field}.columns", title, "it names a domain; name its task too, under `task`")
            if column.domain is not None and task not in self.paper.tasks_to_come:
                one_of(column.domain, self._domains(str(task)), where, f"{field}.columns.{title}", A_COLUMN)
            if (column.domain or column.mean) and column.metric is None:
                self._metric(where, f"{field}.metric", table.metric, task)
        if table.baseline is not None:
            one_of(table.baseline, list(table.rows), where, f"{field}.baseline")
        self._groups(where, f"{field}.groups", table)
        numbers = self.paper.numbers(name)
        sides: tuple[tuple[str, Mapping[str, Row | Column]], ...] = (("rows", table.rows), ("columns", table.columns))
        for at, (side, named) in enumerate(sides):
            own = [title for title, its in named.items() if not its.ours]
            self._among(where, f"{field}.{side}", own, {place[at] for place in numbers}, NO_NUMBER)

    def _groups(self, where: Path, field: str, table: PaperTable) -> None:
        """Refuse a heading over rows that do not follow each other: it would stand twice."""
        order = list(table.rows)
        for title, rows in table.groups.items():
            for row in rows:
                one_of(row, order, where, f"{field}.{title}")
            first = order.index(rows[0]) if rows else 0
            if rows != order[first : first + len(rows)]:
                raise bad(where, field, title, "its rows do not stand so in `rows`; order them there as here")

    def _figure(self, name: str, figure: Figure) -> None:
        where, field = self.folder / "figures.yaml", f"figures.{name}"
        self._name(where, "figures", name, RESERVED)
        if name in self.paper.tables:
            raise bad(where, "figures", name, "a table has this name, and both are files; choose another")
        self._task(where, f"{field}.task", figure.task)
        if figure.setting is not None:
            one_of(figure.setting, list(self.paper.settings), where, f"{field}.setting")
        if figure.metric:
            self._metric(where, f"{field}.metric", figure.metric, figure.task)
        self._rows(where, f"{field}.lines", figure.lines)
        if figure.reported is not None:
            numbers = self.paper.numbers(figure.reported)
            on_axis = {row for row, column in numbers if column.startswith(f"{figure.axis}=")}
            if not on_axis:
                mend = f"{REPORTED} has no points {figure.axis}=... of it"
                raise bad(where, f"{field}.reported", figure.reported, mend)
            self._among(where, f"{field}.lines", figure.lines, on_axis, NO_POINT)

    def _claim(self, where: Path, field: str, claim: Claim) -> None:
        self._task(where, f"{field}.on.task", claim.on.task)
        for method in claim.names:
            one_of(row_name(method).method, self.methods, where, f"{field}.methods")
        for cost in claim.costs:
            one_of(cost, list(COSTS), where, f"{field}.costs")
        if claim.on.task not in self.paper.tasks_to_come:
            if claim.kind != "cost":
                self._metric(where, f"{field}.on.metric", claim.on.metric, claim.on.task)
            for domain in claim.on.domains or ():
                one_of(domain, self._domains(claim.on.task), where, f"{field}.on.domains")
        for place, effect in enumerate(claim.reported):
            here = f"{field}.reported.{place}"
            one_of(
                effect.table,
                sorted({number.table for number in self.paper.reported}),
                where,
                f"{here}.table",
                IN_REPORTED,
            )
            numbers = self.paper.numbers(effect.table)
            for side in ("more", "less", "row"):
                if (row := getattr(effect, side)) is None:
                    continue
                one_of(row, sorted({row for row, _ in numbers}), where, f"{here}.{side}", IN_REPORTED)
                one_of(
                    effect.column,
                    sorted(column for its, column in numbers if its == row),
                    where,
                    f"{here}.column",
                    IN_REPORTED,
                )

    def _task(self, where: Path, field: str, task: str | None) -> None:
        if task is not None:
            one_of(task, [*self.tasks, *self.paper.tasks_to_come], where, field)

    def _metric(self, where: Path, field: str, metric: str, task: str | None) -> None:
        """Refuse another metric than the one by which the task is scored: our numbers would stand under its name."""
        if task is not None and task in self.tasks and task not in self.paper.tasks_to_come:
            its = self.tasks[task].spec.metric
            if metric != its:
                raise bad(where, field, metric, f"{task} is scored by {its}; write that")

    def _domains(self, task: str) -> list[str]:
        """Every domain that a source of the task has."""
        return sorted({domain for source in self.tasks[task].spec.sources.values() for domain in source.named})

    def _rows(self, where: Path, field: str, rows: Mapping[str, Row]) -> None:
        for name, row in rows.items():
            self._task(where, f"{field}.{name}.task", row.task)
            if row.method is not None:
                one_of(row_name(row.method).method, self.methods, where, f"{field}.{name}", A_ROW)

    def _among(self, where: Path, field: str, names: Iterable[str], known: set[str], told: str) -> None:
        """Refuse names that are not among the reported ones; what nothing is reported of may have any."""
        for name in names if known else ():
            one_of(name, sorted(known), where, field, told)

    def _settings(self) -> None:
        """Refuse a setting that no table and no figure has."""
        parts: dict[str, PaperTable | Figure] = {**self.paper.tables, **self.paper.figures}
        used = {part.setting or name for name, part in parts.items()}
        used |= {figure.reported for figure in self.paper.figures.values() if figure.reported}
        for name in self.paper.settings:
            one_of(name, sorted(used), self.folder / "paper.yaml", "settings", "no table and no figure has it; {}")

    def _read(self) -> None:
        """Refuse reported numbers that no table and no figure shows."""
        figures = {figure.reported for figure in self.paper.figures.values() if figure.reported}
        for number in self.paper.reported:
            where = f"{self.folder / REPORTED}: line {number.line}"
            if number.table not in self.paper.tables:
                told = "no table of tables.yaml and no figure reads it, so add one or remove it here; {}"
                one_of(number.table, sorted({*self.paper.tables, *figures}), where, "table", told)

    def _shown(self) -> None:
        """Refuse reported numbers of rows and columns that their table or figure does not have."""
        figures = [figure for figure in self.paper.figures.values() if figure.reported]
        for number in self.paper.reported:
            table = self.paper.tables.get(number.table)
            its = [figure for figure in figures if figure.reported == number.table]
            where = f"{self.folder / REPORTED}: line {number.line}"
            rows = table.rows if table else {row for figure in its for row in figure.lines}
            told = f"{number.table} does not show it, so add it there or remove it here; {{}}"
            one_of(number.row, sorted(rows), where, "row", told)
            if table:
                one_of(number.column, sorted(table.columns), where, "column", told)
            elif not any(number.column.startswith(f"{figure.axis}=") for figure in its):
                raise bad(where, "column", number.column, f"no figure of {number.table} has this axis; add one")
