"""What a search has kept of its trials: a file for every cell of a trial. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.adapt.failure import Failure
from harness.base.files import read_json
from harness.contracts.budget import told
from harness.contracts.plan import Place, TuneJob
from harness.score.scale import scaled, unscaled
from harness.tune.space import Point


@dataclass(frozen=True)
class Trial:
    """What came of a point on one place: a score, or why there is none. `seconds` are the machine's."""

    score: float | None
    seconds: float
    failure: Failure | None = None


def trial_folder(job: TuneJob, point: Point) -> Path:
    """Where the cells of a trial are kept; its name says the rates."""
    return Path(job.folder) / ",".join(f"{line.name}-{rate:g}" for line, rate in zip(job.lines, point, strict=True))


def trial_file(job: TuneJob, point: Point, place: Place, budget: int) -> Path:
    """Where one cell of a trial is kept."""
    return trial_folder(job, point) / f"{place.domain}-k{told(budget)}-s{place.seed}.json"


def point_of(job: TuneJob, folder: Path) -> Point:
    """The rates of a trial, from the folder of its cells."""
    words = folder.name.split(",")
    return tuple(float(word.removeprefix(f"{line.name}-")) for line, word in zip(job.lines, words, strict=True))


def named(job: TuneJob, point: Point) -> dict[str, float]:
    """The rates of a point by their names."""
    return {line.name: rate for line, rate in zip(job.lines, point, strict=True)}


def read_trial(file: Path) -> Trial:
    """A cell of a trial that was kept."""
    kept: dict[str, Any] = read_json(file)
    return Trial(**kept | {"failure": Failure(**kept["failure"]) if kept["failure"] else None})


def mean_score(scores: dict[int, list[float]], metric: str) -> float:
    """The mean over budgets of the mean over a budget's cells, on the metric's scale.

    A perplexity falls by half where it is large as easily as where it is small: without the logarithm the smallest
    budget would choose alone.
    """
    return unscaled(metric, fmean(fmean(scaled(metric, values)) for values in scores.values()))


def kept_scores(job: TuneJob, metric: str) -> dict[Point, float | None]:
    """The scores of the trials that stand, of a search that has ended or not; None of those that failed."""
    if Path(job.done).is_file():
        trials = read_json(Path(job.done))["trials"]
        return {tuple(trial["rates"][line.name] for line in job.lines): trial["score"] for trial in trials}
    found: dict[Point, float | None] = {}
    for folder in Path(job.folder).glob(f"{job.lines[0].name}-*"):
        point = point_of(job, folder)
        files = {budget: [trial_file(job, point, place, budget) for place in job.places] for budget in job.budgets}
        standing = [file for its in files.values() for file in its if file.is_file()]
        trials = {file: read_trial(file) for file in standing}
        if any(trial.failure for trial in trials.values()):
            found[point] = None
        elif len(trials) == sum(map(len, files.values())):
            scores = {
                budget: [score for file in its if (score := trials[file].score) is not None]
                for budget, its in files.items()
            }
            found[point] = mean_score(scores, metric)
    return dict(sorted(found.items()))


def forget_failed_trials(job: TuneJob) -> None:
    """Remove the trials that failed, so that they are tried again."""
    for file in Path(job.folder).glob("*/*.json"):
        if read_json(file)["failure"]:
            file.unlink()
