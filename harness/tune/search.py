"""The rule `tune`: the search of one rate, and what it found. A search that was killed goes on where it was."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.adapt.failure import forget_failure, leave_failure, read_failure
from harness.base.files import read_json, write_json
from harness.base.progress import say
from harness.base.provenance import provenance
from harness.contracts.plan import Plan, TuneJob
from harness.tune.space import TRIALS, at_edge, best, next_rates
from harness.tune.trials import Trials


def run_search(plan: Plan, job: TuneJob) -> None:
    """Find a rate and write it to the job's file; where none works, its failure is left for the cells to take over."""
    what = f"tune {job.task} {job.method} k={', '.join(map(str, job.reaches))}"
    below = next(filter(None, map(read_failure, _began_with(plan, job))), None)
    forget_failure(Path(job.folder))
    trials = Trials(plan, job)
    tried: dict[float, float | None] = {}
    while not below and (rates := next_rates(job.low, job.high, _by_goodness(plan, job, tried))):
        for rate in rates:
            tried[rate] = score = trials.score(rate)
            told = "failed" if score is None else f"{plan.tasks[job.task].metric} {score:.2f}"
            say(f"[{len(tried)}/{TRIALS}] {what}: {job.rate} {rate:g}: {told} ({trials.seconds:.0f} s in all)")
            if trials.failure and trials.failure.status == "unsupported":  # at any rate
                below = trials.failure
                break
    found = best(_by_goodness(plan, job, tried))
    if failure := below or (trials.failure if found is None else None):
        leave_failure(Path(job.folder), failure)
    edge = found is not None and at_edge(list(tried), found)
    if edge:
        say(f"{what}: the best {job.rate}, {found:g}, is at the edge of what was tried")
    note: dict[str, Any] = {
        "train": {} if found is None or below else {job.rate: found},
        "trials": [{"rate": rate, "score": score} for rate, score in sorted(tried.items())],
        "at_edge": edge,
        "domains": sorted({place.domain for place in job.places}),
        "seeds": sorted({place.seed for place in job.places}),
        "budgets": job.budgets,
        "held_out": job.held_out,
        "cost": {"seconds": trials.seconds + _prepared_for(plan, job)},
        "provenance": provenance(),
    }
    write_json(Path(job.done), note)


def _by_goodness(plan: Plan, job: TuneJob, tried: dict[float, float | None]) -> dict[float, float | None]:
    """Scores of which the higher is the better."""
    sign = 1.0 if plan.tasks[job.task].direction == "max" else -1.0
    return {rate: None if score is None else sign * score for rate, score in tried.items()}


def _began_with(plan: Plan, job: TuneJob) -> Iterable[Path]:
    """The folders in which a checkpoint that the trials begin with would have left why it could not be made."""
    block = plan.block(job.task, job.method)
    if not block.prepare_done:  # a checkpoint of the user's own says nothing
        return [Path(plan.backbone(block.backbone).folder)]
    return [Path(place.checkpoint) for place in job.places]


def _prepared_for(plan: Plan, job: TuneJob) -> float:
    """The seconds that checkpoints cost with which trials begin and no cell of the run does."""
    cells = {cell.checkpoint for cell in plan.block(job.task, job.method).cells}
    notes = [Path(checkpoint) / "prepared.json" for checkpoint in {place.checkpoint for place in job.places} - cells]
    return sum(float(read_json(note)["cost"]["seconds"]) for note in notes if note.is_file())
