"""How long what is left of a run takes: as its cells done so far took, else by the sizes of its backbones. No torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, median
from typing import Any

from harness.adapt.record import read_standing
from harness.backbone.anatomy import anatomies
from harness.backbone.weights import shapes_in, weight_files
from harness.base.errors import UserError
from harness.contracts.budget import WHOLE
from harness.contracts.method import Kind, Train
from harness.contracts.plan import BackboneJob, Block, Plan, PrepareJob, TuneJob
from harness.plan.checkpoints import texts_of
from harness.tune.kept import kept_scores
from harness.tune.space import TRIALS

# A product costs 2 operations a parameter and token, its gradients 4 (Kaplan et al., 2020, section 2.1).
TRAINED, READ = 6, 2
RATE = 5e10  # operations a second of one core; what no cell says yet hangs on it
BESIDE = 3e5  # parameters whose products take as long as all that a step does beside them
# A text that is generated costs so many that are read.
GENERATED: dict[Kind, float] = {"summarization": 8.0, "data-to-text": 8.0}
UNKNOWN = 1e8  # parameters of a backbone that is not here yet, where its entry does not say
LETTERS = 4  # a token, about
TESTS, TRAINS = 300, 1000  # examples of a test split and of a train split that do not stand yet
CONTROL, IMPORTS = 0.05, 5.0  # seconds of a control's cell, and of importing torch for a job
LIKENESSES: list[tuple[str, ...]] = [("task", "method"), ("task", "backbone"), ("backbone",), ()]  # nearest first
EMBEDDINGS = re.compile(r"(?:^|[._])(?:\w*embed\w*|wte|wpe|shared)(?:[._]|$)")


@dataclass(frozen=True)
class Sample:
    """What a finished cell took, in seconds for an operation of training and of predicting."""

    task: str
    method: str
    backbone: str
    training: float | None  # None where it trained nothing
    predicting: float


class Estimates:
    """Seconds on one core for the jobs of a plan.

    What a cell takes is the number of sentences that it trains on and reads, by their tokens, by the parameters of the
    backbone's products. What such an operation takes is the median over the finished cells of this output folder that
    are most like it: of its method and task, of its task and backbone, of its backbone, any.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.records = read_standing(plan.cells())

    def missing(self, block: Block) -> int:
        """How many cells of a block are still to be computed."""
        return sum(cell.folder not in self.records for cell in block.cells)

    def block(self, block: Block) -> float:
        """What the missing cells of a block take."""
        missing = self.missing(block)
        if not block.cells[0].checkpoint:
            return missing * CONTROL + IMPORTS * bool(missing)
        return missing * self._cell(block) + IMPORTS * bool(missing)

    def tries(self, job: TuneJob) -> int:
        """How many cells of the trials of a search are still to be computed."""
        if Path(job.done).is_file():
            return 0
        return (TRIALS - len(kept_scores(job, self.plan.tasks[job.task].metric))) * job.cells

    def search(self, job: TuneJob) -> float:
        """What the missing trials of a search take: each cell as one of the run, after what is prepared for it."""
        missing = self.tries(job)
        prepared = missing / job.cells * len(job.prepare.parts) * self._preparing(job.prepare) if job.prepare else 0.0
        return missing * self._cell(job) + prepared + IMPORTS * bool(missing)

    def _cell(self, block: Block | TuneJob) -> float:
        """What a cell takes."""
        training, predicting = self._operations(block)
        once = predicting * self._seconds(block, "predicting")
        points = len(block.points) if isinstance(block, Block) else 0
        return training * self._seconds(block, "training") + (1 + points) * once

    def preparation(self, job: PrepareJob, missing: int) -> float:
        """What `missing` checkpoints of a preparation take: as those that stand, else by what they read."""
        done = [json.loads(Path(part.done).read_text()) for part in job.parts if Path(part.done).is_file()]
        took = [note["cost"]["seconds"] for note in done]
        one = median(took) if took else self._preparing(job)
        return missing * one + IMPORTS * bool(missing)

    def _preparing(self, job: PrepareJob) -> float:
        """What one checkpoint of a preparation takes, by what it reads."""
        tokens = job.sentences * self._tokens[job.task]
        return TRAINED * tokens * self._size(job.backbone, job.task) / RATE

    def backbone(self, job: BackboneJob) -> float:
        """What a backbone takes that the run pretrains."""
        if job.spec["source"] != "pretrain":
            return 0.0
        tokens = job.spec["steps"] * job.spec["batch_size"] * job.spec["max_length"] / LETTERS
        return TRAINED * tokens * (sum(_pretrained(job.spec)) + BESIDE) / RATE + IMPORTS

    def _operations(self, block: Block | TuneJob) -> tuple[float, float]:
        """Of one cell: those of its training and of its predicting."""
        size, tokens = self._size(block.backbone, block.task), self._tokens[block.task]
        trained = self._sentences(block) * tokens * size * TRAINED
        kind: Any = self.plan.tasks[block.task].kind
        return trained, self._tests[block.task] * tokens * size * READ * GENERATED.get(kind, 1.0)

    def _sentences(self, block: Block | TuneJob) -> float:
        """The sentences that a cell trains on, the mean over cells where they follow from epochs."""
        settings = Train(**block.train)
        if settings.epochs is None:
            return settings.steps * settings.read_at_once
        budgets = block.budgets if isinstance(block, TuneJob) else [cell.budget for cell in block.cells]
        sizes = [self._trains[block.task] if budget == WHOLE else budget for budget in budgets]
        return fmean(settings.over(size).steps * settings.read_at_once for size in sizes)

    def _seconds(self, block: Block | TuneJob, what: str) -> float:
        """What an operation takes in cells like those of a block."""
        found = (self._medians.get((what, *(getattr(block, name) for name in like))) for like in LIKENESSES)
        return next((value for value in found if value is not None), 1 / RATE)

    @cached_property
    def _medians(self) -> dict[tuple[str, ...], float]:
        """What an operation of training and of predicting takes in the finished cells, by what they have in common."""
        values: dict[tuple[str, ...], list[float]] = {}
        for sample in self.samples:
            for what in ("training", "predicting"):
                for like in LIKENESSES if getattr(sample, what) is not None else ():
                    key = (what, *(getattr(sample, name) for name in like))
                    values.setdefault(key, []).append(getattr(sample, what))
        return {key: median(its) for key, its in values.items()}

    @cached_property
    def samples(self) -> list[Sample]:
        """What the finished cells took, those of controls aside."""
        found = []
        for block in self.plan.blocks:
            trained, read = self._operations(block) if block.cells[0].checkpoint else (0.0, 0.0)
            for costs in self._costs(block) if read else ():
                training = costs["adaptation_seconds"] / trained if trained else None
                found.append(
                    Sample(block.task, block.method, block.backbone, training, costs["prediction_seconds"] / read)
                )
        return found

    def _costs(self, block: Block) -> Iterator[dict[str, Any]]:
        """The costs of a block's finished cells."""
        for cell in block.cells:
            record = self.records.get(cell.folder, {})
            if record.get("status") == "done":
                yield record["costs"]

    @cached_property
    def _tokens(self) -> dict[str, float]:
        """How many tokens a sentence of each task has: as finished cells read them, else by the letters of the data."""
        found = {}
        for name, task in self.plan.tasks.items():
            read = [
                costs["trained_tokens"] / sentences
                for block in self.plan.blocks
                if block.task == name and (sentences := self._sentences(block))
                for costs in self._costs(block)
                if costs.get("trained_tokens")
            ]
            letters = [len(text) for text in texts_of(self.plan, name)]
            guess = median(letters) / LETTERS if letters else task.max_length / LETTERS
            found[name] = median(read) if read else min(guess, task.max_length)
        return found

    @cached_property
    def _tests(self) -> dict[str, int]:
        """How many test examples of a domain of each task are scored."""
        many = {name: self._lines(name, "test", TESTS) for name in self.plan.tasks}
        return {name: min(many[name], task.test_examples or many[name]) for name, task in self.plan.tasks.items()}

    @cached_property
    def _trains(self) -> dict[str, int]:
        """How many training examples a domain of each task has."""
        return {name: self._lines(name, "train", TRAINS) for name in self.plan.tasks}

    def _lines(self, name: str, split: str, guess: int) -> int:
        """How many examples a scored domain of a task has in a split."""
        folders = [Path(self.plan.data_of(name).folders[domain]) for domain in self.plan.tasks[name].domains]
        files = [folder / f"{split}.jsonl" for folder in folders]
        lines = [len(file.read_bytes().splitlines()) for file in files if file.is_file()]
        return round(median(lines)) if lines else guess

    def _size(self, backbone: str, task: str) -> float:
        """The parameters of a backbone's products for a task, and what stands for all else that a step does."""
        body, table = self._parameters[backbone]
        return body + BESIDE + (0.0 if self.plan.tasks[task].kind == "token-classification" else table)

    @cached_property
    def _parameters(self) -> dict[str, tuple[float, float]]:
        """Of each backbone the parameters of its layers, and of the table of its vocabulary."""
        return {job.name: _parameters_of(job) for job in self.plan.backbones}


def _parameters_of(job: BackboneJob) -> tuple[float, float]:
    if job.spec["source"] == "pretrain":
        return _pretrained(job.spec)
    try:
        files = weight_files(Path(job.checkpoint))
    except UserError:  # it is fetched by the run
        return float(job.spec.get("parameters") or UNKNOWN), 0.0
    shapes = {name: shape for file in files for name, shape in _shapes(file)}
    tables = [math.prod(shape) for name, shape in shapes.items() if EMBEDDINGS.search(name)]
    return sum(map(math.prod, shapes.values())) - sum(tables), float(max(tables, default=0))


def _shapes(file: Path) -> Iterator[tuple[str, list[int]]]:
    """The shape of each tensor in a weight file; of one that only torch can read all as one, by its bytes."""
    if file.suffix != ".safetensors":
        yield file.name, [file.stat().st_size // 4]
        return
    yield from shapes_in(file).items()


def _pretrained(spec: dict[str, Any]) -> tuple[float, float]:
    """The parameters of a backbone that is not made yet: of a layer 4 squares of the width an attention, 8 its FFN."""
    squares = sum(8 + 4 * len(stack.attention) for stack in anatomies()[spec["architecture"]].stacks.values())
    return float(spec["layers"] * squares * spec["width"] ** 2), float(spec["vocabulary"] * spec["width"])
