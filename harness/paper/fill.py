"""A table of a paper filled: the reported number and ours at every place, and why where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.contracts.budget import told_all
from harness.contracts.paper import UNITS, Column, PaperSpec, PaperTable, Row
from harness.contracts.reported import Reported
from harness.paper.evidence import Evidence
from harness.paper.setting import Comparison, compare_setting
from harness.paper.sheet import EMPTY, Entry, Line, Sheet
from harness.table.markdown import cost, number, with_interval
from harness.table.pivot import pivot
from harness.table.scores import LEAK_MARK, LEAKING

MARKS = {"own": "", "quoted": "*", "recreated": "+", "digitised": "°"}
MEANING = {
    "quoted": "* is quoted by the paper from elsewhere",
    "recreated": "+ was recreated by the paper",
    "digitised": "° was read from a plot",
}
ORDER, SIGN = "rank", "sign"
NONE, NOT_RUN = "none", "not run"
LEGEND = (
    f"{NONE}: nothing of ours is the counterpart. {NOT_RUN}: the run does not plan it. "
    "– (2/3): a hole, with how many of its planned cells have a score; no mean is taken over holes."
)


@dataclass(frozen=True)
class Filler:
    """Fills one table; `sheet` is what the writers take."""

    evidence: Evidence
    paper: PaperSpec
    name: str
    table: PaperTable

    def sheet(self) -> Sheet:
        """The table with the reported line and our line of every row."""
        groups = {row: title for title, rows in self.table.groups.items() for row in rows}
        lines: list[Line] = []
        for title, row in self.table.rows.items():
            group = groups.get(title, "")
            reported, ours = self._reported_entries(title), self._our_entries(row)
            theirs = bool(self._numbers) and not row.ours
            if theirs:
                lines.append(Line(title, "paper", "paper", [*reported, *self._place(0, title)], group))
            if not self._has_methods and self._numbers:
                continue
            own = [*ours, *self._place(1, title)]
            lines.append(Line(title, "ours", row.method or NONE, own, group, heads=not theirs))
            if self.comparison is not None and self.comparison.tier == "paper" and row.method:
                between = [_between(self._number(title, column), ours[place]) for place, column in self._columns]
                lines.append(Line(title, "difference", "ours less paper", [*between, EMPTY, EMPTY], group, heads=False))
        order = [f"{ORDER} by {self._main}", f"{SIGN} against {self._baseline}"] if self._has_methods else []
        columns = [*self.table.columns, *order]
        return Sheet(self.name, self.table.title, columns, lines, self._notes())

    def _place(self, side: int, row: str) -> list[Entry]:
        """Rank and sign of a row, where the table has any; side 0 is the paper's."""
        if not self._has_methods:
            return []
        found = (self._order[side].get(row), self._signs[side].get(row))
        return [Entry(text, "words") if text else EMPTY for text in found]

    @property
    def _has_methods(self) -> bool:
        """Whether any row has a method; else the table is about something that records do not hold."""
        return any(row.method for row in self.table.rows.values())

    @cached_property
    def comparison(self) -> Comparison | None:
        """How near the run is to the table's setting; None where the run does not have the task."""
        task = self.table.task
        if task is None or not self.evidence.has(task):
            return None
        setting = self.paper.setting(self.name, self.table.setting)
        return compare_setting(self.evidence, setting, task, self._budgets(task))

    @property
    def _columns(self) -> list[tuple[int, str]]:
        return list(enumerate(self.table.columns))

    @cached_property
    def _numbers(self) -> dict[tuple[str, str], Reported]:
        return self.paper.numbers(self.name)

    def _number(self, row: str, column: str) -> Reported | None:
        return self._numbers.get((row, column))

    @cached_property
    def _main(self) -> str:
        """The column that rows are ordered by: the first mean, else the first domain, else the first of all."""
        columns = self.table.columns
        means = [title for title, column in columns.items() if column.mean]
        domains = [title for title, column in columns.items() if column.domain]
        return [*means, *domains, *columns][0]

    @cached_property
    def _baseline(self) -> str:
        return self.table.baseline or next(iter(self.table.rows))

    def _task(self, row: Row, column: Column) -> str | None:
        """The task of a place, by its name in the run on the row's backbone."""
        task = row.task or column.task or self.table.task
        return None if task is None else self.evidence.plan.named(task, row.backbone)

    def _budgets(self, task: str) -> list[int]:
        """The budgets of the run that stand in the table."""
        its = self.evidence.scores(task).budgets
        if self.table.budgets == "all":
            return its
        if self.table.budgets == "largest":
            return its[-1:]
        return [budget for budget in its if budget in self.table.budgets]

    def _domains(self, column: Column, task: str) -> list[str]:
        """The domains of the run that a column is over: a mean's are the table's, or all where it names none."""
        scored = self.evidence.scores(task).domains
        if column.domain is not None:
            return [domain for domain in scored if domain == column.domain]
        base = self.evidence.plan.tasks[task].base
        named = {
            its.domain for its in self.table.columns.values() if its.domain and (its.task or self.table.task) == base
        }
        return [domain for domain in scored if domain in named] if named else scored

    def _reported_entries(self, row: str) -> list[Entry]:
        entries = []
        for column in self.table.columns:
            found = self._number(row, column)
            if found is None:
                entries.append(EMPTY)
                continue
            text = f"{found.value:,.{found.digits}f}"
            if found.uncertainty is not None:
                text += f" ±{found.uncertainty:g}"
            why = "; ".join(filter(None, (found.source, found.quoted_from, found.uncertainty_is, found.note)))
            entries.append(Entry(text, "number", found.value, mark=MARKS[found.mark], why=why))
        return entries

    def _our_entries(self, row: Row) -> list[Entry]:
        return [self._our_entry(row, column) for column in self.table.columns.values()]

    def _our_entry(self, row: Row, column: Column) -> Entry:
        """Our number at a place, or the reason why there is none."""
        task = self._task(row, column)
        if row.method is None or column.none is not None or task is None:
            return Entry(NONE, "no counterpart", why=row.none or column.none or "no task of ours is like it")
        if not self.evidence.has(task):
            return Entry(NOT_RUN, "not run", why=f"no task: the run does not have {task}")
        scores = self.evidence.scores(task)
        budgets = self._budgets(task)
        if row.method not in scores.methods or not budgets:
            why = f"no method: the run does not have {row.method} on {task}"
            return Entry(NOT_RUN, "not run", why=why if budgets else "no budget of the table is in the run")
        if column.without and column.metric not in scores.run.judges:
            return Entry(NONE, "no counterpart", why=column.without)
        domains = self._domains(column, task) if column.cost is None else scores.domains
        if not domains:
            return self._without_domain(column, task)
        if column.cost is not None:
            return self._cost(task, row.method, column, budgets)
        if column.metric is not None and column.metric != scores.run.metric:
            beside = self.evidence.beside(task, row.method, column.metric, domains, budgets)
            if beside is None:
                return Entry("–", "hole", why=f"not every cell has {column.metric}")
            return Entry(number(beside, 2), value=beside, mark=scores.rates_mark(row.method).strip())
        value = scores.value(row.method, domains, budgets)
        if value.mean is None:
            why = f"{value.done} of {value.planned} cells have a score"
            return Entry(f"– ({value.done}/{value.planned})", "hole", why=why)
        digits = 1 if scores.run.direction == "max" else 2
        text = with_interval(value.mean, value.low, value.high, digits)
        mark = (LEAK_MARK if scores.leaks(row.method) else "") + scores.rates_mark(row.method).strip()
        return Entry(text, "number", value.mean, value.low, value.high, mark)

    def _without_domain(self, column: Column, task: str) -> Entry:
        """A domain that the task does not score: it has another role, or the source has none of that name."""
        base = self.evidence.plan.tasks[task].base
        job = next((job for job in self.evidence.plan.data if job.task == base), None)
        role = job.roles.get(column.domain or "") if job else None
        if role is not None:
            return Entry(NOT_RUN, "not run", why=f"{column.domain} is {role} in this run")
        if column.domain is None:
            return Entry(NOT_RUN, "not run", why="none of the table's domains is scored in this run")
        return Entry(NONE, "no counterpart", why=f"no domain: the run's source of {task} has no {column.domain}")

    def _cost(self, task: str, method: str, column: Column, budgets: Sequence[int]) -> Entry:
        each = self.evidence.costs(task, method, str(column.cost), budgets, column.over)
        if each is None:
            return Entry("–", "hole", why=f"not every cell says its {column.cost}")
        value = float(each.mean()) / UNITS[column.unit]
        return Entry(cost(value), "number", value)

    @cached_property
    def _order(self) -> tuple[dict[str, str], dict[str, str]]:
        """The rank of each row by the main column, among the rows that both sides have; theirs, then ours."""
        theirs, ours = self._values
        shared = [row for row in theirs if row in ours] or None
        return _ranks(theirs, shared, self._low_is_better), _ranks(ours, shared, self._low_is_better)

    @cached_property
    def _values(self) -> tuple[dict[str, float], dict[str, float]]:
        """The main column of each row that has one: reported, and ours."""
        theirs = {row: found.value for row in self.table.rows if (found := self._number(row, self._main))}
        column = self.table.columns[self._main]
        entries = {title: self._our_entry(row, column) for title, row in self.table.rows.items()}
        return theirs, {title: its.value for title, its in entries.items() if its.value is not None}

    @property
    def _low_is_better(self) -> bool:
        column = self.table.columns[self._main]
        return bool(column.cost) or (column.metric or self.table.metric) in ("perplexity", "seconds", "hours")

    @cached_property
    def _signs(self) -> tuple[dict[str, str], dict[str, str]]:
        """Whether a row is better (+) or worse than the baseline; ours says ≈ where the interval holds 0."""
        theirs, ours = self._values
        found: dict[str, str] = {}
        for title, row in self.table.rows.items():
            if title in ours and title != self._baseline and self._baseline in ours:
                found[title] = self._sign(row, ours[title] - ours[self._baseline])
        base = theirs.get(self._baseline)
        reported = {
            row: self._sign_of(value - base)
            for row, value in theirs.items()
            if base is not None and row != self._baseline
        }
        return reported, found

    def _sign(self, row: Row, difference: float) -> str:
        """Our sign: by the interval of the paired difference where the main column is a score of one task."""
        column, base = self.table.columns[self._main], self.table.rows[self._baseline]
        task = self._task(row, column)
        same = task is not None and self._task(base, column) == task
        if same and column.cost is None and column.metric is None and row.method and base.method and task:
            scores, domains = self.evidence.scores(task), self._domains(column, task)
            mine, its = (scores.sample(method, self._budgets(task), domains) for method in (row.method, base.method))
            tested = pivot(mine - its) if mine is not None and its is not None else None
            if tested is None:
                return "≈"
            low, high = tested.interval()
            if float(low) <= 0 <= float(high):
                return "≈"
        return self._sign_of(difference)

    def _sign_of(self, difference: float) -> str:
        better = difference < 0 if self._low_is_better else difference > 0
        return "=" if difference == 0 else "+" if better else "−"

    def _notes(self) -> list[str]:
        """Setting, order, marks, and the table's own notes."""
        if not self._has_methods:
            reasons = dict.fromkeys(row.none for row in self.table.rows.values() if row.none)
            return [
                *(f"No counterpart of ours: {why}." for why in reasons),
                *self._said_of_numbers(),
                *self.table.notes,
            ]
        notes = list(self.comparison.words) if self.comparison else []
        task = self.table.task
        if task is not None and self.evidence.has(task):
            budgets = told_all(self._budgets(task))
            notes.append(
                f"Ours: means over {len(self.evidence.scores(task).seeds)} seeds with 95% intervals, budget {budgets}."
            )
            shown = {row.method for row in self.table.rows.values()}
            notes += [LEAKING] if shown & self.evidence.scores(task).leaking else []
        elif task is not None:
            notes.append(f"Not run: no task {task} in this run.")
        notes += self._agreement()
        setting = self.paper.setting(self.name, self.table.setting)
        if setting is not None and setting.said:
            begin = "Recalled of the paper, not read" if setting.recalled else "The paper also says"
            notes.append(f"{begin}: {'; '.join(f'{key}: {said}' for key, said in setting.said.items())}.")
        notes += self._said_of_numbers()
        return [*notes, *self._rates(), *self.table.notes, LEGEND]

    def _said_of_numbers(self) -> list[str]:
        """Marks, what uncertainties are, and notes of single numbers."""
        marks = {found.mark for found in self._numbers.values()}
        notes = [f"{MEANING[mark]}." for mark in MEANING if mark in marks]
        notes += sorted(
            {f"± is the {found.uncertainty_is}." for found in self._numbers.values() if found.uncertainty_is}
        )
        notes += sorted(
            {f"{row}, {column}: {found.note}." for (row, column), found in self._numbers.items() if found.note}
        )
        return notes

    def _rates(self) -> list[str]:
        """Of which of our rows the rates were neither tuned on the backbone nor given."""
        shown: dict[str, set[str]] = {}
        for row in self.table.rows.values():
            for column in self.table.columns.values():
                task = self._task(row, column)
                if row.method and task and self.evidence.has(task):
                    shown.setdefault(task, set()).add(row.method)
        return [note for task, methods in shown.items() for note in self.evidence.scores(task).rates_note(methods)]

    def _agreement(self) -> list[str]:
        """In how many pairs of rows ours stand in the paper's order."""
        theirs, ours = self._values
        rows = [row for row in theirs if row in ours]
        pairs = [(a, b) for place, a in enumerate(rows) for b in rows[place + 1 :] if theirs[a] != theirs[b]]
        if not pairs:
            return []
        alike = sum((theirs[a] - theirs[b]) * (ours[a] - ours[b]) > 0 for a, b in pairs)
        return [f"Order by {self._main}: {alike} of {len(pairs)} pairs of rows stand as in the paper (means alone)."]


def _ranks(values: dict[str, float], shared: Sequence[str] | None, low_is_better: bool) -> dict[str, str]:
    """Ranks from the best, among the rows that both sides have, or all where they share none."""
    kept = {row: value for row, value in values.items() if shared is None or row in shared}
    sign = 1 if low_is_better else -1
    return {
        row: f"{1 + sum(sign * other < sign * value for other in kept.values())} of {len(kept)}"
        for row, value in kept.items()
    }


def _between(reported: Reported | None, ours: Entry) -> Entry:
    """Our number less the reported one, where both stand."""
    if reported is None or ours.value is None:
        return EMPTY
    value = ours.value - reported.value
    low, high = (None if end is None else end - reported.value for end in (ours.low, ours.high))
    return Entry(with_interval(value, low, high, max(reported.digits, 1)), "number", value, low, high)
