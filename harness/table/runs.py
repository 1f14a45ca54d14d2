"""Two runs of the same methods: which means differ by more than their intervals, and what stands in one run alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from harness.record.read import each_row
from harness.score.scale import Scale, scale_of, scaled
from harness.table.influence import Floats, influences, tells_examples, whose_examples
from harness.table.pivot import SIGNIFICANCE, Pivot, Sample, holm, pivot

Key = tuple[str, int, str]  # task, budget, method
Verdict = Literal["the same", "not told apart", "differs", "no test", "not compared"]
How = Literal["paired", "independent", ""]
LEAST_PAIRS = 2  # seeds
# Of a score on its scale, relative and absolute. What another processor rounds otherwise can be alike in all seeds, as
# without training, and then no interval is too narrow for it.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Scored:
    """One finished cell: its score, the metric that ranks it, and what its test examples left."""

    score: float
    metric: str
    source: str
    examples: int
    statistics: Floats | None


@dataclass(frozen=True)
class Run:
    """The records of a run by (task, budget, method), then by domain and seed; None where a cell has no score."""

    cells: dict[Key, dict[tuple[str, int], Scored | None]]

    def domains(self, key: Key) -> list[str]:
        """The domains of a row, in the order of the records."""
        return list(dict.fromkeys(domain for domain, _ in self.cells[key]))

    def seeds(self, key: Key) -> list[int]:
        """The seeds of a row."""
        return sorted({seed for _, seed in self.cells[key]})


def run_of(records: pd.DataFrame) -> Run:
    """What a file of records says of each cell's primary metric."""
    cells: dict[Key, dict[tuple[str, int], Scored | None]] = {}
    names = ["task", "budget", "method", "domain", "seed", "status", "score", "metric", "source", "n", "statistics"]
    for task, budget, method, domain, seed, status, score, metric, source, n, its in each_row(
        records[records.primary.astype(bool)], names
    ):
        known = status == "done" and score is not None and np.isfinite(score)
        statistics = np.asarray(its, dtype=np.float64) if isinstance(its, np.ndarray) else None
        found = Scored(float(score), metric, source, int(n), statistics) if known else None
        cells.setdefault((task, int(budget), method), {})[domain, int(seed)] = found
    return Run(cells)


@dataclass(frozen=True)
class Difference:
    """A row of both runs; `estimate` is B less A on the metric's scale, with its interval."""

    key: Key
    metric: str
    verdict: Verdict
    why: str = ""
    how: How = ""
    domains: int = 0
    means: tuple[float, float] | None = None  # on the metric's scale
    found: Pivot | None = None
    p_holm: float | None = None

    @property
    def scale(self) -> Scale:
        """How two scores of the metric compare."""
        return scale_of(self.metric)

    @property
    def estimate(self) -> float | None:
        """B less A."""
        return None if self.means is None else self.means[1] - self.means[0]

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """The 95% interval of the difference; None of a single seed."""
        if self.found is None:
            return None
        low, high = self.found.interval()
        return float(low), float(high)


@dataclass(frozen=True)
class Comparison:
    """Every row of two runs."""

    differences: list[Difference]
    alone: tuple[list[Key], list[Key]]  # in A, in B

    @property
    def differing(self) -> list[Difference]:
        """The rows whose means differ."""
        return [its for its in self.differences if its.verdict == "differs"]


def compare_runs(a: Run, b: Run) -> Comparison:
    """All rows that both runs have; p-values are corrected over them (Holm, 1979), as they are many."""
    rows = [_difference(key, a, b) for key in a.cells if key in b.cells]
    tested = [row for row in rows if row.verdict == "not told apart" and row.found is not None]
    p_values = holm([float(row.found.p_value()) for row in tested if row.found is not None]) if tested else ()
    corrected = {row.key: float(p) for row, p in zip(tested, p_values, strict=True)}
    judged = [_judged(row, corrected.get(row.key)) for row in rows]
    alone = [[key for key in one.cells if key not in other.cells] for one, other in ((a, b), (b, a))]
    return Comparison(judged, (alone[0], alone[1]))


def _judged(row: Difference, p_holm: float | None) -> Difference:
    differs = p_holm is not None and p_holm <= SIGNIFICANCE
    return replace(row, p_holm=p_holm, verdict="differs" if differs else row.verdict)


def _difference(key: Key, a: Run, b: Run) -> Difference:
    """One row over the domains that both runs score."""
    domains = [domain for domain in a.domains(key) if domain in b.domains(key)]
    metric = next((its.metric for run in (a, b) for its in run.cells[key].values() if its), "")
    start = Difference(key, metric, "not compared", domains=len(domains))
    if not domains:
        return replace(start, why="they score no domain in common")
    common = [seed for seed in a.seeds(key) if seed in b.seeds(key)]
    if len(common) >= LEAST_PAIRS or a.seeds(key) == b.seeds(key):
        ours, its = (_rows(run, key, domains, common) for run in (a, b))
        if ours and its and (why := _unlike(ours, its)):
            return replace(start, why=why)
        if ours and its and same_examples(ours, its):
            return _paired(start, ours, its)
    ours, its = (_rows(run, key, domains, run.seeds(key)) for run in (a, b))
    if not ours or not its:
        holes = " and ".join(name for name, rows in (("A", ours), ("B", its)) if not rows)
        have = "have" if not ours and not its else "has"
        return replace(start, why=f"{holes} {have} cells without a score")
    if why := _unlike(ours, its):
        return replace(start, why=why)
    return _independent(start, ours, its)


Rows = list[list[Scored]]  # by domain, then by seed


def _rows(run: Run, key: Key, domains: Sequence[str], seeds: Sequence[int]) -> Rows | None:
    """The cells of a row; None where one has no score."""
    found = [[run.cells[key].get((domain, seed)) for seed in seeds] for domain in domains]
    known = [[its for its in row if its is not None] for row in found]
    return known if all(len(row) == len(seeds) for row in known) and seeds else None


def _unlike(a: Rows, b: Rows) -> str:
    """Why scores of two runs are of different things; empty where they are not."""
    for ours, its in zip(a, b, strict=True):
        if ours[0].metric != its[0].metric:
            return f"A is scored by {ours[0].metric}, B by {its[0].metric}"
        if ours[0].source != its[0].source:
            return f"A's source is {ours[0].source}, B's {its[0].source}"
    return ""


def same_examples(a: Rows, b: Rows) -> bool:
    """Whether both runs scored the same test examples, as far as their records tell: how many, and their sizes."""
    for ours, its in zip(a, b, strict=True):
        one, other = ours[0], its[0]
        if one.examples != other.examples:
            return False
        sizes = [whose_examples(cell.metric, cell.statistics) for cell in (one, other)]
        if sizes[0] is not None and sizes[1] is not None and not np.array_equal(sizes[0], sizes[1]):
            return False
    return True


def _paired(start: Difference, a: Rows, b: Rows) -> Difference:
    """Seed by seed on the same examples."""
    with_examples = _told(a) and _told(b)
    ours, its = _sample(a, with_examples), _sample(b, with_examples)
    return _tested(start, ours, its, "paired", pivot(its - ours))


def _independent(start: Difference, a: Rows, b: Rows) -> Difference:
    """Means of other seeds or examples: their variances add up, with the fewer degrees of freedom of the two."""
    ours, its = _sample(a, _told(a)), _sample(b, _told(b))
    one, other = pivot(ours), pivot(its)
    if one is None or other is None:
        return _tested(start, ours, its, "independent", None)
    both = Pivot(
        other.estimate - one.estimate,
        one.seed_part + other.seed_part,
        one.other_part + other.other_part,
        np.minimum(one.other_degrees, other.other_degrees),
        min(one.seeds, other.seeds),
    )
    return _tested(start, ours, its, "independent", both)


def _tested(start: Difference, a: Sample, b: Sample, how: How, found: Pivot | None) -> Difference:
    means = float(a.values.mean()), float(b.values.mean())
    same = a.values.shape == b.values.shape and np.allclose(a.values, b.values, rtol=ROUNDING, atol=ROUNDING)
    verdict: Verdict = "the same" if same else "no test" if found is None else "not told apart"
    why = "a single seed has no interval" if verdict == "no test" else ""
    return replace(start, verdict=verdict, why=why, how=how, means=means, found=found)


def _told(rows: Rows) -> bool:
    """Whether it is known of every cell how its examples move its score."""
    return all(
        tells_examples(its.metric) and its.statistics is not None and len(its.statistics) > 1
        for row in rows
        for its in row
    )


def _sample(rows: Rows, with_examples: bool) -> Sample:
    """The mean over domains for each seed, and how the examples of each domain move it."""
    values = np.mean([scaled(row[0].metric, [its.score for its in row]) for row in rows], axis=0)
    return Sample(values, tuple(_moved(rows)) if with_examples else ())


def _moved(rows: Rows) -> Iterator[Floats]:
    for row in rows:
        found = influences(row[0].metric, np.stack([its.statistics for its in row if its.statistics is not None]))
        assert found is not None  # `_told` has asked
        yield found / len(rows)
