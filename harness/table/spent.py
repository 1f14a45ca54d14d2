"""What the methods of a task cost: means a cell, peaks, preparations once a checkpoint, and searches once a rate."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.contracts.plan import Plan
from harness.record.read import each_row
from harness.record.schema import PREPARATION
from harness.table.influence import Floats
from harness.table.rows import Row
from harness.table.shares import share_columns

PEAK = "preparation_peak_rss_mib"
MEANS = ("trained_parameters", "stored_bytes", "adaptation_seconds", "prediction_seconds")
PEAKS = ("peak_rss_mib", "peak_device_mib")
TUNING, PREPARATION_TUNING = "tuning_seconds", "preparation_tuning_seconds"
NUMBERS = (*MEANS, *PEAKS, *PREPARATION, TUNING, PREPARATION_TUNING, "trained_share")
PLACE = ["method", "domain", "budget", "seed"]
Columns = Mapping[str, Floats]


class Spent:
    """The cells of a task, read once and as arrays, since a board asks for every method at every budget."""

    def __init__(self, plan: Plan, records: pd.DataFrame, task: str) -> None:
        self._blocks = {block.method: block for block in plan.blocks if block.task == task}
        cells = records.loc[records.task == task, [*PLACE, "status", "sized", *NUMBERS]].drop_duplicates(PLACE)
        self._numbers = cells[PLACE].assign(**{name: pd.to_numeric(cells[name], errors="coerce") for name in NUMBERS})
        planned = {(c.method, c.domain, c.budget, c.seed): c for block in self._blocks.values() for c in block.cells}
        found = [planned.get((m, d, int(b), int(s))) for m, d, b, s in each_row(cells, PLACE)]
        self._numbers["checkpoint"] = [cell.checkpoint if cell else None for cell in found]
        rates_of = {part.folder: job.rates_from for job in plan.prepares for part in job.parts}
        self._numbers["preparation_search"] = [rates_of.get(cell.checkpoint or "") if cell else None for cell in found]
        self._numbers["search"] = [cell.rates_from if cell else None for cell in found]
        self._columns: Columns = {name: self._numbers[name].to_numpy(dtype=np.float64) for name in NUMBERS}
        self._budgets = cells.budget.to_numpy(dtype=np.int64)
        self._words = {name: cells[name].to_numpy(dtype=object) for name in ("status", "sized")}
        self._rows = {str(method): rows for method, rows in cells.groupby("method").indices.items()}

    def at(self, budgets: Sequence[int]) -> dict[str, Row]:
        """The columns of each method at some budgets."""
        chosen = self._numbers[np.isin(self._budgets, budgets)]
        prepared = _once_each(chosen, "checkpoint", list(PREPARATION))
        searched = _once_each(chosen, "search", [TUNING])
        before = _once_each(chosen, "preparation_search", [PREPARATION_TUNING])
        found: dict[str, Row] = {}
        for method, block in self._blocks.items():
            rows = self._at(method, budgets)
            serves = len({(cell.domain, cell.seed) for cell in block.cells if cell.budget in budgets})
            found[method] = _costs({name: column[rows] for name, column in self._columns.items()})
            found[method] |= share_columns(block, self._columns["trained_share"][rows], self._words["sized"][rows])
            found[method] |= _preparation(prepared[method], serves)
            seconds = np.concatenate([searched[method][TUNING], before[method][PREPARATION_TUNING]])
            found[method] |= {TUNING: _sum(seconds)}
        return found

    def statuses(self, method: str, budgets: Sequence[int]) -> Counter[str]:
        """How many of a method's cells ended how."""
        return Counter(map(str, self._words["status"][self._at(method, budgets)]))

    def _at(self, method: str, budgets: Sequence[int]) -> Any:
        """The places of a method's cells."""
        rows = self._rows.get(method, np.array([], dtype=np.int64))
        return rows[np.isin(self._budgets[rows], budgets)]


def _once_each(cells: pd.DataFrame, owner: str, names: list[str]) -> dict[str, Columns]:
    """For each method what its cells say, once for each file that several of them share; nothing for other methods."""
    each = cells.groupby(["method", owner])[names].first()
    values, methods = each.to_numpy(dtype=np.float64), each.index.get_level_values(0)
    found: dict[str, Columns] = defaultdict(lambda: {name: np.array([]) for name in names})
    for method, rows in each.groupby(methods).indices.items():
        found[str(method)] = {name: values[rows, at] for at, name in enumerate(names)}
    return found


def _costs(its: Columns) -> Row:
    """Costs of the finished cells: means a cell, but the largest of the peaks; empty where none says."""
    known = {name: its[name][~np.isnan(its[name])] for name in (*MEANS, *PEAKS)}
    means = {name: float(known[name].mean()) if len(known[name]) else None for name in MEANS}
    peaks = {name: float(known[name].max()) if len(known[name]) else None for name in PEAKS}
    whole = {name: None if (mean := means[name]) is None else round(mean) for name in MEANS[:2]}
    return {**means, **peaks, **whole}


def _preparation(each: Columns, serves: int) -> Row:
    """Preparation raw, summed over distinct prepared checkpoints, and spread over the (domain, seed) it serves.

    A cell's record says what its checkpoint cost; the plan says which cells share one. So a checkpoint that
    three domains and three budgets share counts once, and each domain bears a third of it. Memory is the
    largest of the checkpoints'. Where one did not say, or could not be made, the sum is not known.
    """
    sums = {name: _sum(each[name]) for name in PREPARATION if name != PEAK}
    spread: Row = {f"{name}_spread": _over(sums[name], serves) for name in ("preparation_seconds", "preparation_flops")}
    known = each[PEAK][~np.isnan(each[PEAK])]
    peak = float(known.max()) if len(known) else math.nan if len(each[PEAK]) else 0.0
    return sums | spread | {PEAK: peak}


def _sum(values: Floats) -> float | None:
    """A sum; not known where one value is not."""
    found = float(values.sum())
    return None if math.isnan(found) else found


def _over(value: float | None, parts: int) -> float | None:
    return None if value is None or not parts else value / parts
