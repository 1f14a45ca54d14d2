"""The rule `tune`: a search of rates, and what it found. A search that was killed goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.adapt.failure import Failure, forget_failure, leave_failure, read_failure
from harness.adapt.rates import search_failed, searched
from harness.base.files import read_json, write_json
from harness.base.progress import say
from harness.base.provenance import provenance
from harness.contracts.budget import told_all
from harness.contracts.plan import Plan, TuneJob
from harness.tune.kept import named
from harness.tune.space import TRIALS, Point, at_edge, best, next_points
from harness.tune.trials import Trials


def run_search(plan: Plan, job: TuneJob) -> None:
    """Find rates and write them to the job's file; where none work, the failure is left for who needs them."""
    trained = "" if job.reaches in ([], job.budgets) else f", trials at k={told_all(job.budgets)}"
    what = f"tune {job.title}{trained}"
    below = _failed_before(plan, job)
    forget_failure(Path(job.folder))
    trials = Trials(plan, job)
    tried: dict[Point, float | None] = {}
    while not below and (points := next_points(job.lines, _by_goodness(plan, job, tried))):
        for point in points:
            tried[point] = score = trials.score(point)
            told = "failed" if score is None else f"{plan.tasks[job.task].metric} {score:.2f}"
            say(f"[{len(tried)}/{TRIALS}] {what}: {_in_words(job, point)}: {told} ({trials.seconds:.0f} s in all)")
            if trials.failure and trials.failure.status == "unsupported":  # at any rate
                below = trials.failure
                break
    found = best(_by_goodness(plan, job, tried))
    if failure := below or (trials.failure if found is None else None):
        leave_failure(Path(job.folder), failure)
    edge = found is not None and at_edge(tried, found)
    if found and edge:
        say(f"{what}: the best, {_in_words(job, found)}, is at the edge of what was tried")
    note: dict[str, Any] = {
        "prepare" if job.prepare else "train": {} if found is None or below else named(job, found),
        "trials": [{"rates": named(job, point), "score": score} for point, score in sorted(tried.items())],
        "at_edge": edge,
        "domains": sorted({place.domain for place in job.places}),
        "seeds": sorted({place.seed for place in job.places}),
        "budgets": job.budgets,
        "held_out": job.held_out,
        "cost": {"seconds": trials.seconds + _prepared_for(plan, job) + _searched_for(plan, job)},
        "provenance": provenance(),
    }
    if job.prepare and not below:
        note["prepared_as"] = job.prepare.options  # in each trial, but for the rates that were searched
        note["followed_by"] = {"method": job.method} | job.train | searched(job.rates_from, "train")
    write_json(Path(job.done), note)


def _in_words(job: TuneJob, point: Point) -> str:
    return ", ".join(f"{name} {rate:g}" for name, rate in named(job, point).items())


def _by_goodness(plan: Plan, job: TuneJob, tried: dict[Point, float | None]) -> dict[Point, float | None]:
    """Scores of which the higher is the better."""
    sign = 1.0 if plan.tasks[job.task].direction == "max" else -1.0
    return {point: None if score is None else sign * score for point, score in tried.items()}


def _failed_before(plan: Plan, job: TuneJob) -> Failure | None:
    """Why what the trials begin with could not be made: a backbone, a checkpoint of it, or the rate that follows."""
    base = plan.backbone(job.backbone)
    made = {place.checkpoint for place in job.places} - {base.checkpoint}  # one of the user's own says nothing
    failures = (read_failure(Path(folder)) for folder in (base.folder, *sorted(made)))
    return search_failed(job.rates_from) or next(filter(None, failures), None)


def _prepared_for(plan: Plan, job: TuneJob) -> float:
    """The seconds that checkpoints cost with which trials begin and no cell of the run does."""
    cells = {cell.checkpoint for cell in plan.cells()}
    notes = [Path(checkpoint) / "prepared.json" for checkpoint in {place.checkpoint for place in job.places} - cells]
    return sum(float(read_json(note)["cost"]["seconds"]) for note in notes if note.is_file())


def _searched_for(plan: Plan, job: TuneJob) -> float:
    """The seconds of the search of the rate that follows a preparation, where no cell of the run takes that rate."""
    if job.rates_from is None or any(cell.rates_from == job.rates_from for cell in plan.cells()):
        return 0.0
    return float(read_json(Path(job.rates_from))["cost"]["seconds"])
