"""Papers are discovered too, and what they name is looked for: methods, tasks, domains, reported rows and columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import bad
from harness.contracts.claim import Claim, base_of
from harness.contracts.discover import TaskFolder, methods, tasks
from harness.contracts.folders import found_in
from harness.contracts.model import one_of
from harness.contracts.paper import COSTS, FILES, REPORTED, Figure, PaperSpec, PaperTable, Row, read_paper

RESERVED = ("claims", "numbers")  # files of every paper


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
    """Looks for what one paper names, in this order: tables, figures, claims, and reported numbers nobody shows."""

    folder: Path
    paper: PaperSpec
    methods: list[str]
    tasks: Mapping[str, TaskFolder]

    def everything(self) -> None:
        """Raise UserError at the first name that is none."""
        for name, table in self.paper.tables.items():
            self._table(name, table)
        for name, figure in self.paper.figures.items():
            self._figure(name, figure)
        for name, claim in self.paper.claims.items():
            self._claim(self.folder / "claims.yaml", f"claims.{name}", claim)
        self._shown()

    def _name(self, where: Path, field: str, name: str) -> None:
        """Refuse what cannot be the name of a file beside the others."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or name in RESERVED:
            raise bad(where, field, name, f"use letters, digits, _ and -, and none of {', '.join(RESERVED)}")

    def _table(self, name: str, table: PaperTable) -> None:
        where, field = self.folder / "tables.yaml", f"tables.{name}"
        self._name(where, "tables", name)
        self._task(where, f"{field}.task", table.task)
        if table.setting is not None:
            one_of(table.setting, list(self.paper.settings), where, f"{field}.setting")
        self._rows(where, f"{field}.rows", table.rows)
        for title, column in table.columns.items():
            task = column.task or table.task
            self._task(where, f"{field}.columns.{title}.task", column.task)
            if column.domain is not None and task is None:
                raise bad(where, f"{field}.columns", title, "it names a domain; name its task too, under `task`")
            if column.domain is not None and task not in self.paper.tasks_to_come:
                one_of(column.domain, self._domains(str(task)), where, f"{field}.columns.{title}")
        if table.baseline is not None:
            one_of(table.baseline, list(table.rows), where, f"{field}.baseline")
        for title, rows in table.groups.items():
            for row in rows:
                one_of(row, list(table.rows), where, f"{field}.groups.{title}")
        numbers = self.paper.numbers(name)
        own = [row for row, its in table.rows.items() if not its.ours]
        self._among(where, f"{field}.rows", own, {row for row, _ in numbers})
        self._among(where, f"{field}.columns", table.columns, {column for _, column in numbers})

    def _figure(self, name: str, figure: Figure) -> None:
        where, field = self.folder / "figures.yaml", f"figures.{name}"
        self._name(where, "figures", name)
        if name in self.paper.tables:
            raise bad(where, "figures", name, "a table has this name, and both are files; choose another")
        self._task(where, f"{field}.task", figure.task)
        if figure.setting is not None:
            one_of(figure.setting, list(self.paper.settings), where, f"{field}.setting")
        self._rows(where, f"{field}.lines", figure.lines)
        if figure.reported is not None:
            numbers = self.paper.numbers(figure.reported)
            on_axis = {row for row, column in numbers if column.startswith(f"{figure.axis}=")}
            if not on_axis:
                mend = f"{REPORTED} has no points {figure.axis}=... of it"
                raise bad(where, f"{field}.reported", figure.reported, mend)
            self._among(where, f"{field}.lines", figure.lines, on_axis)

    def _claim(self, where: Path, field: str, claim: Claim) -> None:
        self._task(where, f"{field}.on.task", claim.on.task)
        for method in claim.names:
            one_of(base_of(method), self.methods, where, f"{field}.methods")
        for cost in claim.costs:
            one_of(cost, list(COSTS), where, f"{field}.costs")
        task = self.tasks.get(claim.on.task)
        if task is not None and claim.on.task not in self.paper.tasks_to_come:
            if claim.kind != "cost":
                one_of(claim.on.metric, [task.spec.metric], where, f"{field}.on.metric")
            for domain in claim.on.domains or ():
                one_of(domain, self._domains(claim.on.task), where, f"{field}.on.domains")
        for place, effect in enumerate(claim.reported):
            here = f"{field}.reported.{place}"
            one_of(effect.table, sorted({number.table for number in self.paper.reported}), where, f"{here}.table")
            numbers = self.paper.numbers(effect.table)
            for row in filter(None, (effect.more, effect.less, effect.row)):
                one_of(row, sorted({row for row, _ in numbers}), where, here)
                one_of(effect.column, sorted(column for its, column in numbers if its == row), where, f"{here}.column")

    def _task(self, where: Path, field: str, task: str | None) -> None:
        if task is not None:
            one_of(task, [*self.tasks, *self.paper.tasks_to_come], where, field)

    def _domains(self, task: str) -> list[str]:
        """Every domain that a source of the task has."""
        return sorted({domain for source in self.tasks[task].spec.sources.values() for domain in source.named})

    def _rows(self, where: Path, field: str, rows: Mapping[str, Row]) -> None:
        for name, row in rows.items():
            self._task(where, f"{field}.{name}.task", row.task)
            if row.method is not None:
                one_of(base_of(row.method), self.methods, where, f"{field}.{name}")

    def _among(self, where: Path, field: str, names: Iterable[str], known: set[str]) -> None:
        """Refuse names that are not among the reported ones; what nothing is reported of may have any."""
        for name in names if known else ():
            one_of(name, sorted(known), where, field)

    def _shown(self) -> None:
        """Refuse reported numbers that no table and no figure shows."""
        figures = [figure for figure in self.paper.figures.values() if figure.reported]
        for number in self.paper.reported:
            table = self.paper.tables.get(number.table)
            its = [figure for figure in figures if figure.reported == number.table]
            where = self.folder / REPORTED
            if table is None and not its:
                raise bad(where, "table", number.table, "no table of tables.yaml and no figure reads it; add one there")
            rows = table.rows if table else [line for figure in its for line in figure.lines]
            if number.row not in rows:
                raise bad(where, "row", number.row, f"{number.table} does not show it; add it there, or remove it here")
            if table and number.column not in table.columns:
                mend = f"{number.table} does not show it; add it there, or remove it here"
                raise bad(where, "column", number.column, mend)
            if not table and not any(number.column.startswith(f"{figure.axis}=") for figure in its):
                raise bad(where, "column", number.column, f"no figure of {number.table} has this axis; add one")
