"""How long what is left of a run takes: by what its jobs compute, and by how long what is done took. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.adapt.record import read_standing
from harness.contracts.adapt_job import AdaptJob
from harness.contracts.plan import BackboneJob, Block, Plan, PrepareJob, TuneJob
from harness.plan.work import Work
from harness.tune.kept import kept_scores
from harness.tune.space import TRIALS

JOB, CELL = 1.0, 0.15  # seconds to begin a job, and of a cell to read its data, to write and to score it
TRAINING, PREDICTING, PREPARING = "training", "predicting", "preparing"
# What is looked at for how much longer something takes than it computes, the nearest first.
NEAREST = {
    TRAINING: (TRAINING, PREPARING),
    PREDICTING: (PREDICTING, TRAINING, PREPARING),
    PREPARING: (PREPARING, TRAINING),
}
Alike = tuple[str, ...]  # what jobs have in common: what they do, and some of their task, method and backbone


class Measured:
    """How many times as long as was reckoned the finished jobs took, by what they have in common."""

    def __init__(self) -> None:
        self._sums: dict[Alike, list[float]] = {}

    def add(self, what: str, task: str, name: str, backbone: str, took: float, reckoned: float) -> None:
        """A finished job, in seconds."""
        for alike in self._alike(what, task, name, backbone):
            sums = self._sums.setdefault(alike, [0.0, 0.0])
            sums[0] += took
            sums[1] += reckoned

    def ratio(self, what: str, task: str, name: str, backbone: str) -> float:
        """For a job like that: by those most like it; 1 where none is done."""
        for kind in NEAREST[what]:
            for alike in self._alike(kind, task, name, backbone):
                if alike in self._sums:
                    took, reckoned = self._sums[alike]
                    return took / reckoned
        return 1.0

    @staticmethod
    def _alike(what: str, task: str, name: str, backbone: str) -> list[Alike]:
        """What a job has in common with others, the nearest first."""
        return [(what, task, name, backbone), (what, task, backbone), (what, "", backbone), (what,)]


class Estimates:
    """Seconds on one core for the jobs of a plan.

    What a job computes is reckoned from the sizes of its backbone and of its data (harness/plan/work.py), and taken so
    many times as what is done of this output folder took: of its own method and task, else of its task and backbone,
    of its backbone, any. Before any cell is done, preparations tell.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.work = plan, Work(plan)
        self.records = read_standing(plan.cells())

    def missing(self, whose: Block | AdaptJob) -> int:
        """How many cells of a block, or of one of its jobs, are still to be computed."""
        cells = whose.cells if isinstance(whose, Block) else self.plan.cells_of(whose)
        return sum(cell.folder not in self.records for cell in cells)

    def block(self, block: Block) -> float:
        """What the missing cells of a block take, in all its jobs."""
        return sum(self.adapt(job) for job in self.plan.jobs_of(block))

    def adapt(self, job: AdaptJob) -> float:
        """What the missing cells of a job take."""
        block, missing = self.plan.block(job.task, job.method), self.missing(job)
        cell = self._cell(block) if missing and block.cells[0].checkpoint else 0.0
        return missing * (CELL + cell) + JOB * bool(missing)

    def tries(self, job: TuneJob) -> int:
        """How many cells of the trials of a search are still to be computed."""
        if Path(job.done).is_file():
            return 0
        return (TRIALS - len(kept_scores(job, self.plan.tasks[job.task].metric))) * job.cells

    def search(self, job: TuneJob) -> float:
        """What the missing trials of a search take: each cell as one of the run, after what is prepared for it."""
        missing = self.tries(job)
        if not missing:
            return 0.0
        prepared = missing / job.cells * len(job.prepare.parts) * self._preparing(job.prepare) if job.prepare else 0.0
        return missing * self._cell(job) + prepared + JOB

    def preparation(self, job: PrepareJob, missing: int) -> float:
        """What `missing` checkpoints of a preparation take."""
        return missing * self._preparing(job) + JOB if missing else 0.0

    def backbone(self, job: BackboneJob) -> float:
        """What a backbone takes that the run pretrains."""
        return self.work.pretraining(job) + JOB if job.spec["source"] == "pretrain" else 0.0

    def _cell(self, block: Block | TuneJob) -> float:
        """What a cell takes."""
        place = block.task, block.method, block.backbone
        points = len(block.points) if isinstance(block, Block) else 0
        training = self.work.training(block) * self.measured.ratio(TRAINING, *place)
        return training + (1 + points) * self.work.predicting(block) * self.measured.ratio(PREDICTING, *place)

    def _preparing(self, job: PrepareJob) -> float:
        """What one checkpoint of a preparation takes."""
        return self.work.preparing(job) * self.measured.ratio(PREPARING, job.task, _name(job), job.backbone)

    @cached_property
    def cells(self) -> int:
        """How many finished cells say how long others take, those of controls aside."""
        return sum(1 for block in self.plan.blocks if block.cells[0].checkpoint for _ in self._costs(block))

    @cached_property
    def checkpoints(self) -> int:
        """How many prepared checkpoints say how long others take."""
        return sum(1 for job in self.plan.prepares for _ in _took(job))

    @cached_property
    def measured(self) -> Measured:
        """What is done, beside what it computes."""
        found = Measured()
        for job in self.plan.prepares:
            reckoned = self.work.preparing(job)
            for took in _took(job):
                found.add(PREPARING, job.task, _name(job), job.backbone, took, reckoned)
        for block in self.plan.blocks:
            costs = list(self._costs(block)) if block.cells[0].checkpoint else []
            if costs:
                place = block.task, block.method, block.backbone
                for what, reckoned in (
                    (TRAINING, self.work.training(block)),
                    (PREDICTING, self.work.predicting(block)),
                ):
                    took = fmean(cost[SECONDS[what]] for cost in costs)
                    if reckoned:
                        found.add(what, *place, took * len(costs), reckoned * len(costs))
        return found

    def _costs(self, block: Block) -> Iterator[dict[str, Any]]:
        """The costs of a block's finished cells."""
        for cell in block.cells:
            record = self.records.get(cell.folder, {})
            if record.get("status") == "done":
                yield record["costs"]


SECONDS = {TRAINING: "adaptation_seconds", PREDICTING: "prediction_seconds"}  # the costs of a record


def _name(job: PrepareJob) -> str:
    """What tells a preparation from the others of its task: its name, and whose adaptation takes part."""
    return f"{job.name} {job.method or ''}"


def _took(job: PrepareJob) -> Iterator[float]:
    """The seconds of the checkpoints of a preparation that stand."""
    for part in job.parts:
        if Path(part.done).is_file():
            yield float(json.loads(Path(part.done).read_text(encoding="utf-8"))["cost"]["seconds"])
