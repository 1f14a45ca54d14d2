"""The primary scores of one task, as tables, leaderboards and figures read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from harness.contracts.method import CAUSAL
from harness.contracts.plan import Plan
from harness.contracts.row import is_variant
from harness.record.read import each_row
from harness.score.scale import scale_of, scaled, unscaled, within
from harness.table.influence import Floats, influences, tells_examples
from harness.table.model import models_in_words
from harness.table.pivot import Pivot, Sample, pivot, stacked
from harness.table.rates import RATES_MARK, note_of, origins, untuned

Place = tuple[str, str, int]  # method, domain, budget
Mean = tuple[float, float | None, float | None]  # with the ends of its interval
Group = Literal["contender", "leaking", "control"]
LEAK_MARK = "‡"
LEAKING = (
    f"{LEAK_MARK} A token of this method sees later ones, so it has read what it predicts: its numbers stand apart "
    "and have no rank."
)


@dataclass(frozen=True)
class Value:
    """A mean over seeds, domains and budgets; None where a cell is missing, for no mean is taken over holes.

    Perplexities are averaged as logarithms, so theirs are geometric means.
    """

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
        self.measured = sorted({method for method, _, _ in self.planned}, key=list(plan.methods).index)
        # Variants have values, and stand on a board only where the configuration asks for it.
        shown = bool(plan.config.get("show_variants"))
        self.methods = [method for method in self.measured if shown or not is_variant(method)]
        # A run may be narrowed to some domains and budgets: what has no cell is no hole.
        self.domains = sorted({domain for _, domain, _ in self.planned}, key=self.run.domains.index)
        self.budgets = sorted({budget for _, _, budget in self.planned})
        self.seeds = sorted({seed for seeds in self.planned.values() for seed in seeds})
        mine = records[records.task == task]
        leaking = set(mine[mine.leaks.astype(bool)].method) if self.run.kind in CAUSAL else set()
        self.leaking: set[str] = leaking & set(self.measured)
        self.model = models_in_words(mine.model.unique())
        self.rates = origins(plan, task)
        self.untuned = untuned(plan, task)
        self.reading_targets = {block.method for block in plan.blocks if block.task == task and block.reads_targets}
        self.scores: dict[Place, dict[int, float]] = defaultdict(dict)
        self.examples: dict[str, int] = {}
        self.standings: dict[tuple[int, ...], Any] = {}  # kept by `harness.table.standing`
        self._statistics: dict[Place, dict[int, Any]] = defaultdict(dict)
        self._influences: dict[Place, Floats | None] = {}
        self._kept_means: dict[tuple[tuple[str, ...], tuple[int, ...]], dict[str, Mean]] = {}
        self._read(mine[(mine.status == "done") & mine.primary.astype(bool)])
        self.scale = scale_of(self.run.metric)
        self.examples_vary = self._examples_vary()

    def _read(self, primary: pd.DataFrame) -> None:
        names = ["method", "domain", "budget", "seed", "score", "n", "statistics"]
        for method, domain, budget, seed, score, examples, statistics in each_row(primary, names):
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

    def rates_mark(self, method: str) -> str:
        """The mark of a method whose rates were neither tuned on the backbone nor given; empty for others."""
        return f" {RATES_MARK}" if method in self.untuned else ""

    def rates_note(self, methods: Collection[str] | None = None) -> list[str]:
        """What that mark says of the methods that have it, or of those among `methods`; nothing where none has."""
        its = {name: whose for name, whose in self.untuned.items() if methods is None or name in methods}
        return [note_of(its, {name: self.label(name) for name in its})] if its else []

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
        seeds = min((len(self.scores.get((method, d, b), {})) for d in domains for b in budgets), default=0)
        known = all(domain in self.examples for domain in domains)
        examples = sum(self.examples[domain] for domain in domains) if known else None
        mean, low, high = self._means(tuple(domains), tuple(budgets)).get(method, (None, None, None))
        done, planned = self.coverage(method, domains, budgets)
        return Value(mean, low, high, seeds, examples, done, planned)

    def coverage(self, method: str, domains: Sequence[str], budgets: Sequence[int]) -> tuple[int, int]:
        """How many of a method's cells have a score, and how many are planned."""
        places = [(method, domain, budget) for domain in domains for budget in budgets]
        done = sum(len(self.scores.get(place, {})) for place in places)
        return done, sum(len(self.planned.get(place, [])) for place in places)

    def _means(self, domains: tuple[str, ...], budgets: tuple[int, ...]) -> dict[str, Mean]:
        """The means with their intervals of all methods without a hole: who asks for one asks for the others too."""
        key = domains, budgets
        if key not in self._kept_means:
            found = {method: self.sample(method, budgets, domains) for method in self.measured}
            samples = {method: sample for method, sample in found.items() if sample is not None}
            its = pivot(stacked(list(samples.values()))) if samples else None
            means = [unscaled(self.run.metric, sample.values.mean()) for sample in samples.values()]
            ends = self._ends(its, domains) if its is not None else [(None, None)] * len(means)
            self._kept_means[key] = {m: (mean, *end) for m, mean, end in zip(samples, means, ends, strict=True)}
        return self._kept_means[key]

    def sample(self, method: str, budgets: Sequence[int], domains: Sequence[str] | None = None) -> Sample | None:
        """A method's mean over `budgets` and domains for each seed, on the metric's scale; None where there is a hole.

        What goes with it is how the test examples of each domain move it; where the domains are a sample of many and
        there are several, each domain's own mean, which holds its examples.
        """
        wanted = self.domains if domains is None else domains
        places = [[(method, domain, budget) for budget in budgets] for domain in wanted]
        if not wanted or not budgets or not all(self._has_all_seeds(place) for row in places for place in row):
            return None
        scores = [[[self.scores[place][seed] for seed in self.seeds] for place in row] for row in places]
        means = scaled(self.run.metric, scores).mean(axis=1)  # [domains, seeds]
        if self.run.domains_are == "sample" and len(wanted) > 1:
            return Sample(means.mean(axis=0), (means.T,))
        return Sample(means.mean(axis=0), self._moved_by_examples(places) if self.examples_vary else ())

    @property
    def sampled(self) -> bool:
        """Whether the domains are a sample of many, of which each alone tells a reader nothing."""
        return self.run.domains_are == "sample"

    @property
    def own_columns(self) -> list[str]:
        """The domains that are shown one by one: all that are fixed, none of a sample."""
        return [] if self.sampled else self.domains

    @property
    def mean_in_words(self) -> str:
        """What the mean over all domains is called, with their number where they are a sample."""
        return f"mean over {len(self.domains)} domains" if self.sampled else "mean over domains"

    def spread(self, method: str, budgets: Sequence[int]) -> float | None:
        """The standard deviation of a method's domains, each its mean over seeds and budgets, on the metric's scale.

        None where there is a hole, a single domain, or where the domains are no sample.
        """
        found = self.sample(method, budgets) if self.sampled and len(self.domains) > 1 else None
        return None if found is None else float(found.others[0].mean(axis=0).std(ddof=1))

    def _ends(self, found: Pivot, domains: Sequence[str]) -> list[tuple[float, float]]:
        """The ends of the means' intervals as scores that the metrics of their domains can have."""
        metrics = [self.run.metric_of(domain) for domain in domains]

        def possible(end: float) -> float:
            shown = unscaled(self.run.metric, end)
            return min((within(metric, shown) for metric in metrics), key=lambda its: abs(its - shown))

        low, high = found.interval()
        return [(possible(a), possible(b)) for a, b in zip(low.tolist(), high.tolist(), strict=True)]

    def _has_all_seeds(self, place: Place) -> bool:
        return self.complete(place) and set(self.scores[place]) == set(self.seeds)

    def _moved_by_examples(self, places: list[list[Place]]) -> tuple[Floats, ...]:
        """For each domain, how much its examples move the mean over all domains: [S, n]."""
        tables = []
        for row in places:
            found = [its for place in row if (its := self._influence(place)) is not None]
            tables.append(np.mean(found, axis=0) / len(places))
        return tuple(tables)

    def _influence(self, place: Place) -> Floats | None:
        if place not in self._influences:
            table = np.stack([np.asarray(self._statistics[place][seed], dtype=np.float64) for seed in self.seeds])
            self._influences[place] = influences(self.run.metric_of(place[1]), table)
        return self._influences[place]

    def _examples_vary(self) -> bool:
        """Whether it is known of every scored cell how its examples move its score, and of at least two examples."""
        if not all(tells_examples(self.run.metric_of(domain)) for domain in self.domains):
            return False
        sizes: dict[str, set[int]] = defaultdict(set)
        for (_, domain, _), its in self._statistics.items():
            sizes[domain] |= {len(row) if isinstance(row, (list, np.ndarray)) else 0 for row in its.values()}
        return all(len(its) == 1 and min(its) > 1 for its in sizes.values())
