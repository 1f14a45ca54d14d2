"""The primary scores of one task, as tables, leaderboards and figures read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from harness.contracts.method import CAUSAL
from harness.contracts.plan import Plan
from harness.table.statistics import Floats, example_weights, interval, replicates

Place = tuple[str, str, int]  # method, domain, budget
Group = Literal["contender", "leaking", "control"]
LEAK_MARK = "‡"
LEAKING = (
    f"{LEAK_MARK} A token of this method sees later ones, so it has read what it predicts: its numbers stand apart "
    "and have no rank."
)


@dataclass(frozen=True)
class Value:
    """A mean over seeds, domains and budgets; None where a cell is missing, for no mean is taken over holes."""

    mean: float | None
    low: float | None
    high: float | None
    seeds: int
    examples: int | None
    done: int
    planned: int


class TaskScores:
    """Scores by method, domain, budget and seed, with what was planned; intervals are made on demand."""

    def __init__(self, plan: Plan, records: pd.DataFrame, task: str) -> None:
        self.task, self.run = task, plan.tasks[task]
        self.about = plan.methods
        self.planned: dict[Place, list[int]] = defaultdict(list)
        for cell in plan.cells():
            if cell.task == task:
                self.planned[cell.method, cell.domain, cell.budget].append(cell.seed)
        self.methods = sorted({method for method, _, _ in self.planned}, key=list(plan.methods).index)
        # A run may be narrowed to some domains and budgets: what has no cell is no hole.
        self.domains = sorted({domain for _, domain, _ in self.planned}, key=self.run.domains.index)
        self.budgets = sorted({budget for _, _, budget in self.planned})
        self.seeds = sorted({seed for seeds in self.planned.values() for seed in seeds})
        mine = records[records.task == task]
        leaking = set(mine[mine.leaks.astype(bool)].method) if self.run.kind in CAUSAL else set()
        self.leaking: set[str] = leaking & set(self.methods)
        self.reading_targets = {block.method for block in plan.blocks if block.task == task and block.reads_targets}
        self.scores: dict[Place, dict[int, float]] = defaultdict(dict)
        self.examples: dict[str, int] = {}
        self._statistics: dict[Place, dict[int, Any]] = defaultdict(dict)
        self._replicates: dict[Place, Floats | None] = {}
        self._read(mine[(mine.status == "done") & mine.primary.astype(bool)])

    def _read(self, primary: pd.DataFrame) -> None:
        names = ["method", "domain", "budget", "seed", "score", "n", "statistics"]
        for method, domain, budget, seed, score, examples, statistics in primary[names].itertuples(index=False):
            place = method, domain, int(budget)
            if int(seed) in self.planned.get(place, []) and score is not None and np.isfinite(score):
                self.scores[place][int(seed)] = float(score)
                self.examples[domain] = int(examples)
                self._statistics[place][int(seed)] = statistics

    def label(self, method: str) -> str:
        """The method's name for readers."""
        return str(self.about[method]["label"])

    def control(self, method: str) -> bool:
        """Whether the method is a control."""
        return bool(self.about[method]["control"])

    def leaks(self, method: str) -> bool:
        """Whether the method's tokens see later ones where that gives the answer away."""
        return method in self.leaking

    def reads_targets(self, method: str) -> bool:
        """Whether the method's preparation reads labelled examples of the domains that are scored."""
        return method in self.reading_targets

    def group(self, method: str) -> Group:
        """What the method is on a board: a contender, a leaking method that is shown apart, or a control."""
        return "leaking" if self.leaks(method) else "control" if self.control(method) else "contender"

    def complete(self, place: Place) -> bool:
        """Whether every planned cell of a method, domain and budget has a score."""
        return place in self.planned and len(self.scores.get(place, {})) == len(self.planned[place])

    def value(self, method: str, domains: Sequence[str], budgets: Sequence[int]) -> Value:
        """The mean over seeds, `domains` and `budgets` of a method, with its interval."""
        places = [(method, domain, budget) for domain in domains for budget in budgets]
        done = sum(len(self.scores.get(place, {})) for place in places)
        planned = sum(len(self.planned.get(place, [])) for place in places)
        seeds = min((len(self.scores.get(place, {})) for place in places), default=0)
        known = all(domain in self.examples for domain in domains)
        examples = sum(self.examples[domain] for domain in domains) if known else None
        if not places or not all(self.complete(place) for place in places):
            return Value(None, None, None, seeds, examples, done, planned)
        mean = float(np.mean([np.mean(list(self.scores[place].values())) for place in places]))
        low, high = self._interval(places) or (None, None)
        return Value(mean, low, high, seeds, examples, done, planned)

    def paired(self, method: str, budgets: Sequence[int]) -> Floats | None:
        """A method's mean over `budgets` for each (domain, seed), [pairs]; None where there is a hole."""
        places = [[(method, domain, budget) for budget in budgets] for domain in self.domains]
        if not all(self.complete(place) for row in places for place in row):
            return None
        means = [[np.mean([self.scores[place][seed] for place in row]) for seed in self.seeds] for row in places]
        return np.asarray(means, dtype=np.float64).reshape(-1)

    def difference_interval(self, method: str, other: str, budgets: Sequence[int]) -> tuple[float, float] | None:
        """The interval of what `method` scores more than `other`, by the same replicates for both."""
        parts: list[Floats] = []
        for place in [(domain, budget) for domain in self.domains for budget in budgets]:
            mine, its = self._replicated((method, *place)), self._replicated((other, *place))
            if mine is None or its is None:
                return None
            parts.append(mine - its)
        return interval(parts)

    def _interval(self, places: list[Place]) -> tuple[float, float] | None:
        parts = [self._replicated(place) for place in places]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts) or len({tuple(sorted(self.scores[place])) for place in places}) > 1:
            return None
        return interval(found)

    def _replicated(self, place: Place) -> Floats | None:
        if place not in self._replicates:
            rows = [self._statistics[place][seed] for seed in sorted(self._statistics[place])]
            self._replicates[place] = None
            if all(isinstance(row, (list, np.ndarray)) for row in rows):
                table = np.array([[list(example) for example in row] for row in rows], dtype=np.float64)
                weights = example_weights(self.task, place[1], table.shape[1])
                self._replicates[place] = replicates(self.run.metric, table, weights)
        return self._replicates[place]
