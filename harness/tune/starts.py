"""What the cells of a trial begin with: a checkpoint that stands, or one that is prepared for the trial alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from harness.adapt.limits import limits
from harness.adapt.preparing import make_prepared
from harness.contracts.plan import Place, Plan, Prepared, TuneJob
from harness.contracts.preparation import at_rates
from harness.tune.kept import named, trial_folder
from harness.tune.space import Point


class Starts:
    """The checkpoints of one search's trials.

    Those that a preparation's trials make are large, so that one stands at a time: places that share it follow one
    another, and the next takes its room. One that a kill left, whole or half, is gone on with.
    """

    def __init__(self, plan: Plan, job: TuneJob) -> None:
        self.plan, self.job = plan, job

    def at(self, point: Point, place: Place) -> str:
        """The checkpoint that the cell of a point on a place begins with; it is made where it does not stand."""
        prepare = self.job.prepare
        if prepare is None:
            return place.checkpoint
        part = next(part for part in prepare.parts if part.seed == place.seed and part.target in (None, place.domain))
        folder = self._room(point) / f"{part.target or 'all'}-s{part.seed}"
        if not (folder / "prepared.json").is_file():
            self._forget_others(folder)
            job = replace(prepare, options=at_rates(prepare.options, named(self.job, point)))
            with limits(None, self.plan.memory_gib):
                make_prepared(self.plan, job, Prepared(str(folder), part.fingerprint, part.target, part.seed))
        return str(folder)

    def forget(self, point: Point) -> None:
        """Remove what was prepared for a point whose trial is kept."""
        shutil.rmtree(self._room(point), ignore_errors=True)

    def _room(self, point: Point) -> Path:
        return trial_folder(self.job, point) / "prepared"

    def _forget_others(self, folder: Path) -> None:
        """Make room for a checkpoint, but keep how far its own preparation came."""
        for other in folder.parent.iterdir() if folder.parent.is_dir() else ():
            if not other.name.startswith(folder.name):
                shutil.rmtree(other) if other.is_dir() else other.unlink()
