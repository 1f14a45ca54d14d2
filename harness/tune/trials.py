"""A trial: a method at the rates of one point on every place of a search, each cell kept as soon as it is done."""

from __future__ import annotations

import time
from dataclasses import asdict
from itertools import product
from math import inf, isfinite
from pathlib import Path
from typing import Any

from harness.adapt.bench import Bench
from harness.adapt.block import make_bench
from harness.adapt.failure import Failure, failure_of
from harness.adapt.gpu_turns import with_room
from harness.adapt.limits import limits
from harness.adapt.rates import searched
from harness.base.errors import Diverged
from harness.base.files import read_lines, write_json
from harness.contracts.method import Train
from harness.contracts.plan import Place, Plan, TuneJob
from harness.data.splits import few, held_out
from harness.score.scale import within
from harness.score.score import score_rows
from harness.tune.kept import Trial, mean_score, named, read_trial, trial_file
from harness.tune.space import EXAMPLES, Point
from harness.tune.starts import Starts


class Trials:
    """The trials of one search. Those that a run before this one has finished are read, not run again."""

    def __init__(self, plan: Plan, job: TuneJob) -> None:
        self.plan, self.job = plan, job
        self.task, self.starts = plan.tasks[job.task], Starts(plan, job)
        self.seconds = 0.0
        self.failure: Failure | None = None  # of the last trial that failed
        self._bench: Bench | None = None

    def score(self, point: Point) -> float | None:
        """The mean score of a point, None where a cell failed; what then would follow is left out."""
        found: dict[int, list[float]] = {}
        for budget, place in product(self.job.budgets, self.job.places):
            trial = self._trial(point, place, budget)
            self.seconds += trial.seconds
            if trial.score is None:
                self.failure = trial.failure
                break
            found.setdefault(budget, []).append(trial.score)
        self.starts.forget(point)
        whole = sum(map(len, found.values())) == self.job.cells
        return mean_score(found, self.task.metric) if whole else None

    def _trial(self, point: Point, place: Place, budget: int) -> Trial:
        file = trial_file(self.job, point, place, budget)
        if not file.is_file():
            write_json(file, asdict(self._run(point, place, budget)))
        return read_trial(file)

    def _train(self, point: Point) -> Train:
        """How the method trains in a trial: at the point's rate, or, after a preparation at it, at its own."""
        own = searched(self.job.rates_from, "train") if self.job.prepare else named(self.job, point)
        return Train(**self.job.train | own)

    def _run(self, point: Point, place: Place, budget: int) -> Trial:
        from harness.adapt.cell import run_cell  # seconds to import, which finished searches do without

        begin = time.perf_counter()
        try:
            bench = self._bench_for(place, budget)
            bench.train = self._train(point)
            examples = len(bench.split(place.domain, "train"))

            def compute() -> list[Any]:
                nonlocal begin
                begin = time.perf_counter()  # a wait for room on a GPU is no cost of the search
                start = self.starts.at(point, place)
                with limits(self.plan.cell_minutes, self.plan.memory_gib):
                    return run_cell(bench, place.domain, examples, place.seed, start)[0]

            predictions = with_room(self.plan.output, self.job.title, compute)
            test = bench.split(place.domain, "test")
            rows = [{**example, "predicted": its} for example, its in zip(test, predictions, strict=True)]
            kind: Any = self.task.kind
            metric = self.task.metric_of(place.domain)
            score = score_rows(kind, rows, self.task.options_of(place.domain))["scores"][metric]
            if score is None:  # as a correlation with what is constant: nothing is worse, but nothing failed
                score = within(metric, -inf if self.task.direction == "max" else inf)
            if not isfinite(score):
                raise Diverged(f"{metric} is {score}")
        except Exception as error:  # a rate may be too large in any way; the others are tried all the same
            at = ", ".join(f"{name} {rate:g}" for name, rate in named(self.job, point).items())
            failure = failure_of(f"{self.job.title} at {at}", error)
            return Trial(None, time.perf_counter() - begin, failure)
        return Trial(float(score), time.perf_counter() - begin)

    def _bench_for(self, place: Place, budget: int) -> Bench:
        """A bench whose domain has the examples of the trial: the budget's, and those that are scored."""
        bench = self._bench = self._bench or self._made()
        folder = Path(bench.folders[place.domain])
        axes = bench.task.folder.name, place.domain, place.seed
        learned = few(read_lines(folder / "train.jsonl"), budget, *axes)
        if self.job.held_out:  # a target's own test split is never looked at
            learned, scored = held_out(learned)
        else:
            scored = read_lines(folder / "test.jsonl")[: min(EXAMPLES, self.task.test_examples or EXAMPLES)]
        bench.splits = {(place.domain, "train"): learned, (place.domain, "test"): scored}
        return bench

    def _made(self) -> Bench:
        """A bench for all trials, which differ in their rates alone unless each has a checkpoint of its own."""
        bench = make_bench(self.plan, self.job)
        if not self.job.prepare:
            from harness.learn.kept import Shelf  # torch

            bench.shelf = Shelf()
        return bench
