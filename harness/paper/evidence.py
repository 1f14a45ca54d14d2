"""A plan and its records as tables and claims of papers read them: what a task, a method and a domain have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from harness.contracts.plan import Plan
from harness.record.read import each_row, read_along
from harness.record.schema import PREPARATION
from harness.table.along import points_of, scores_at
from harness.table.influence import Floats
from harness.table.scores import TaskScores

UNDEFINED = "undefined"


class Evidence:
    """Read once for all tables and claims, since reading statistics takes most of the time."""

    def __init__(self, plan: Plan, records: pd.DataFrame) -> None:
        self.plan, self.records = plan, records
        self._scores: dict[str, TaskScores] = {}

    def has(self, task: str | None) -> bool:
        """Whether the run has a task."""
        return task in self.plan.tasks

    def scores(self, task: str) -> TaskScores:
        """The primary scores of a task of the run."""
        if task not in self._scores:
            self._scores[task] = TaskScores(self.plan, self.records, task)
        return self._scores[task]

    def parameters(self, task: str) -> int | None:
        """Those of the checkpoint that a task's cells began from; None where it is not known, or there were several."""
        models = self.cells.loc[self.cells.task == task, "model"].dropna().unique()
        sizes = {json.loads(model)["parameters"] for model in models}
        return sizes.pop() if len(sizes) == 1 else None

    @cached_property
    def _along(self) -> pd.DataFrame:
        return read_along(self.plan)

    def points(self, task: str) -> list[float]:
        """The points of trainings at which a task was scored too."""
        return points_of(self._along, task)

    def unit(self, task: str) -> str:
        """What those points are counted in."""
        return ", ".join(sorted(set(self._along[self._along.task == task].unit)))

    def at(self, task: str, point: float) -> TaskScores:
        """The primary scores of a task at such a point."""
        return scores_at(self.plan, self._along, task, point)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The records with a row a cell."""
        return self.records.drop_duplicates(["task", "method", "domain", "budget", "seed"])

    @cached_property
    def lost(self) -> pd.DataFrame:
        """The cells without a score, with their status; a cell that is done and has no value is `undefined`."""
        primary = self.records[self.records.primary.astype(bool)]
        lost = primary[(primary.status != "done") | primary.score.isna()]
        return lost.assign(status=lost.status.where(lost.status != "done", UNDEFINED))

    @cached_property
    def _by_method(self) -> dict[tuple[str, str], pd.DataFrame]:
        return {(str(task), str(method)): its for (task, method), its in self.cells.groupby(["task", "method"])}

    @cached_property
    def _checkpoints(self) -> dict[str, str | None]:
        """The prepared checkpoint of each cell, by its fingerprint."""
        return {cell.fingerprint: cell.checkpoint for cell in self.plan.cells()}

    def cells_of(self, task: str, method: str) -> pd.DataFrame:
        """The cells of a method on a task; empty where there is none."""
        return self._by_method.get((task, method), self.cells.iloc[:0])

    def costs(self, task: str, method: str, column: str, budgets: Sequence[int], over: str = "mean") -> Floats | None:
        """A cost for each seed, [S], taken over the domains; None where a cell does not say, or there is none.

        What a preparation cost is counted once a checkpoint: domains and budgets share it.
        """
        cells = self.cells_of(task, method)
        cells = cells[cells.budget.isin(budgets) & (cells.status == "done")]
        values = pd.to_numeric(cells[column], errors="coerce")
        if not len(values) or values.isna().any():
            return None
        if column in PREPARATION:
            owners = cells.fingerprint.map(lambda fingerprint: self._checkpoints.get(fingerprint) or "none")
            each = values.groupby([cells.seed, owners]).first().groupby(level=0).sum()
        else:
            domains = values.groupby([cells.seed, cells.domain]).mean()
            each = domains.groupby(level=0).sum() if over == "sum" else domains.groupby(level=0).mean()
        if sorted(map(int, each.index)) != self.scores(task).seeds:
            return None
        return np.asarray(each.sort_index(), dtype=np.float64)

    def beside(
        self, task: str, method: str, metric: str, domains: Sequence[str], budgets: Sequence[int]
    ) -> float | None:
        """The mean of a metric that is not the task's own over seeds, domains and budgets; None where one lacks."""
        its = self._secondary.get((task, method, metric))
        planned = [
            (domain, budget, seed)
            for domain in domains
            for budget in budgets
            for seed in self.scores(task).planned.get((method, domain, budget), [])
        ]
        if its is None or not planned or any(place not in its for place in planned):
            return None
        return float(np.mean([its[place] for place in planned]))

    @cached_property
    def _secondary(self) -> dict[tuple[str, str, str], dict[tuple[str, int, int], float]]:
        names = ["task", "method", "metric", "domain", "budget", "seed", "score"]
        mine = self.records.loc[(self.records.status == "done") & ~self.records.primary.astype(bool), names]
        found: dict[tuple[str, str, str], dict[tuple[str, int, int], float]] = {}
        for task, method, metric, domain, budget, seed, score in each_row(mine.dropna(), names):
            found.setdefault((task, method, metric), {})[domain, int(budget), int(seed)] = float(score)
        return found
