"""The plan of a run: every job, its files and its fingerprints, resolved from the configuration.

Names of files hold fingerprints, so a file that stands is never stale: what changed has another name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.base.files import read_json, write_json
from harness.base.fingerprint import fingerprint
from harness.base.wording import seeds_in_words
from harness.contracts.adapt_job import AdaptJob
from harness.contracts.budget import told, told_all
from harness.contracts.config import Precision
from harness.contracts.row import is_variant
from harness.contracts.task import Overlap, Role, SourceName
from harness.contracts.task_plan import TaskPlan

SHORT = 10  # digits of a fingerprint in a file's name
LATER: dict[str, Any] = {
    "needs_dev": False,
    "points": [],
    "others": [],
    "judges": {},
    "metric_options": {},
    "adapt": {},
}  # told only where they say more, so that a plan without them is as before


@dataclass(frozen=True)
class DataJob:
    """A task's domains on disk."""

    task: str
    source: SourceName
    roles: dict[str, Role]
    folders: dict[str, str]
    budgets: list[int]
    overlap: Overlap
    done: str
    where: str = ""  # the configuration file, for messages
    test_examples: int | None = None  # how many of the test examples are scored; all where None
    needs_dev: bool = False  # whether early stopping looks at the dev split of a domain
    metric_options: dict[str, Any] = field(default_factory=dict)  # that the run says in the place of the task


@dataclass(frozen=True)
class BackboneJob:
    """A checkpoint directory: pretrained here, or one that the user has."""

    name: str
    spec: dict[str, Any]
    folder: str
    fingerprint: str
    corpora: dict[str, list[str]]  # task to the domain folders whose unlabeled text is read
    identity: str = ""  # the fingerprint of its recipe or its files alone, by which rates are known to be its own
    own: bool = False  # whether it is pretrained on embedded text, by the run or by a recipe of the project
    texts: dict[str, str] = field(default_factory=dict)  # folders of text that it reads, to the hash of what they held

    @property
    def done(self) -> str:
        """The file that stands when the checkpoint is complete."""
        return f"{self.folder}/backbone.json"

    @property
    def checkpoint(self) -> str:
        """The Hugging Face directory: the user's own where the backbone is local."""
        return str(Path(self.spec["path"])) if self.spec["source"] == "local" else self.folder


@dataclass(frozen=True)
class Prepared:
    """One prepared checkpoint."""

    folder: str
    fingerprint: str
    target: str | None
    seed: int

    @property
    def done(self) -> str:
        """The file that stands when the checkpoint is complete."""
        return f"{self.folder}/prepared.json"


@dataclass(frozen=True)
class PrepareJob:
    """A preparation for a task with a seed and, where it is per domain, for each of its target domains.

    What a search alone begins with is of all the search's seeds.
    """

    name: str
    task: str
    backbone: str
    options: dict[str, Any]
    method: str | None  # whose adaptation takes part, where one does
    match_parameters: float | None  # the share that it shall train
    reads_targets: bool  # whether it reads labelled examples of the scored domains
    parts: list[Prepared]
    done: str
    sentences: int = 0  # that the training of one part reads, about
    rates_from: str | None = None  # the file with those of its rates that were searched
    adapt: dict[str, dict[str, Any]] = field(default_factory=dict)  # what the run says of the method's adaptations

    @property
    def title(self) -> str:
        """The job for a person; several methods may prepare by the same name."""
        its = f"{self.name} for {self.method}" if self.method else self.name
        return f"{self.task} {its} {seeds_in_words(sorted({part.seed for part in self.parts}))}"


@dataclass(frozen=True)
class Place:
    """Where rates are tried: a domain, a seed, and the checkpoint that the trial begins with, or is prepared from."""

    domain: str
    seed: int
    checkpoint: str


@dataclass(frozen=True)
class Line:
    """A rate that is searched, and its range; `start` is its value while another is walked along."""

    name: str  # dotted, where it is an option of an option
    low: float
    high: float
    start: float


@dataclass(frozen=True)
class TuneJob:
    """The search of rates on a task: a method's, for the budgets of one class, or a preparation's, for all budgets.

    Its trials train `method`, or prepare as `prepare` says at a reduced length and then train `method`. The fields from
    `backbone` on are as a block of that method has them.
    """

    task: str
    method: str
    budgets: list[int]  # that the trials train on
    reaches: list[int]  # the budgets of the run that take what is found as their method's rate
    lines: list[Line]
    places: list[Place]
    held_out: bool  # whether it is scored on a part of the budget's own examples, for want of meta_dev domains
    needs: list[str]  # the marks of what it begins with
    fingerprint: str
    folder: str  # where every trial is kept
    backbone: str
    planned_from: list[Any]
    train: dict[str, Any]
    match_parameters: float | None
    sized_by: list[str]
    precision: Precision
    prepare: PrepareJob | None = None  # whose rates are searched; its parts are what one trial makes
    rates_from: str | None = None  # the file with the rate at which `method` trains after a preparation, if searched
    adapt: dict[str, dict[str, Any]] = field(default_factory=dict)  # what the run says of the method's adaptations

    @property
    def done(self) -> str:
        """The file that stands when a rate is found, and says which."""
        return f"{self.folder}.json"

    @property
    def cells(self) -> int:
        """The cells of one trial."""
        return len(self.places) * len(self.budgets)

    @property
    def whose(self) -> str:
        """Whose rates it searches: a method's, a preparation's, or, for that, a method's unprepared."""
        if self.prepare:
            return f"preparation {self.prepare.name}"
        return self.method if self.reaches else f"{self.method} unprepared"

    @property
    def title(self) -> str:
        """The search for a person."""
        return f"{self.task} {self.whose} k={told_all(self.reaches or self.budgets)}"


Origin = Literal["none", "given", "tuned", "searched", "method"]  # whose word a block's rate is


@dataclass(frozen=True)
class Cell:
    """The unit of result."""

    task: str
    method: str
    domain: str
    budget: int
    seed: int
    fingerprint: str
    folder: str
    checkpoint: str | None
    rates_from: str | None = None  # the file with the rate that was searched for it

    @property
    def name(self) -> str:
        """The cell for a person."""
        return f"{self.task} {self.method} {self.domain} k={told(self.budget)} seed {self.seed}"


@dataclass(frozen=True)
class Block:
    """The cells of a method on a task, a row of its tables; jobs run them by their seeds."""

    task: str
    method: str
    planned_from: list[Any]  # the folders' code and the adaptation, to see that they are still the same
    train: dict[str, Any]
    prepared_by: list[str]  # the marks of the preparations that its cells begin with; none: with the backbone
    backbone: str
    cells: list[Cell]
    reads_targets: bool = False  # whether the preparation reads labelled examples of the scored domains
    match_parameters: float | None = None  # the share of the backbone that was asked for
    sized_by: list[str] = field(default_factory=list)  # the options that are solved for it; none: not matched
    rates: Origin = "none"
    preparation_rates: Origin = "none"
    precision: Precision = "float32"  # in which frozen dense layers multiply
    points: list[int] = field(default_factory=list)  # of the training, at which the test split is scored too
    adapt: dict[str, dict[str, Any]] = field(default_factory=dict)  # what the run says of the method's adaptations


@dataclass(frozen=True)
class Plan:
    """Every job of a run."""

    output: str
    seeds: list[int]
    allow_failures: bool
    cell_minutes: float | None
    memory_gib: float | None
    tasks: dict[str, TaskPlan]
    methods: dict[str, dict[str, Any]]
    data: list[DataJob]
    backbones: list[BackboneJob]
    prepares: list[PrepareJob]
    blocks: list[Block]
    adapts: list[AdaptJob]
    scoring: str
    tunes: list[TuneJob] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    papers: dict[str, list[str]] = field(default_factory=dict)  # each paper's files, tables and numbers

    @property
    def path(self) -> Path:
        """Where the plan is kept for the jobs to read."""
        return Path(self.output) / "plan.json"

    def cells(self) -> Iterable[Cell]:
        """Every cell of the run."""
        for block in self.blocks:
            yield from block.cells

    @property
    def structured(self) -> list[str]:
        """The tasks on which a method learns a structure with TAMS."""
        learned = {block.task for block in self.blocks if "tams" in self.methods[block.method].get("adapt", [])}
        return [task for task in self.tasks if task in learned]

    @property
    def along(self) -> list[str]:
        """The tasks of which scores along the way are asked for."""
        return [task for task in self.tasks if any(block.task == task and block.points for block in self.blocks)]

    @property
    def varied(self) -> list[str]:
        """The tasks on which a method has variants."""
        varied = {block.task for block in self.blocks if is_variant(block.method)}
        return [task for task in self.tasks if task in varied]

    @property
    def records(self) -> list[str]:
        """The names of the files that all records are collected in."""
        return ["records.parquet", *(["along.parquet"] if self.along else [])]

    @property
    def figures(self) -> list[str]:
        """The names of the run's figures."""
        kinds = (("structures", self.structured), ("along", self.along), ("variants", self.varied))
        return [*self.tasks, *(f"{task}.{kind}" for kind, its in kinds for task in its)]

    @property
    def boards(self) -> list[str]:
        """The names of the leaderboards' files."""
        return [*(f"{task}.{kind}" for task in self.tasks for kind in ("csv", "md")), "overall.csv"]

    @property
    def paper_files(self) -> list[str]:
        """The names of the papers' tables below `papers/`."""
        return [f"{paper}/{file}" for paper, files in self.papers.items() for file in files]

    @property
    def claim_files(self) -> list[str]:
        """The names of the papers' answers below `papers/`."""
        return [f"{paper}/claims.{kind}" for paper in self.papers for kind in ("csv", "json", "md")]

    @property
    def firsts(self) -> list[str]:
        """Each task once, on the first of its backbones."""
        return [name for name, task in self.tasks.items() if name == task.base]

    def on(self, task: str) -> list[str]:
        """The names that a task has on its backbones, in their order: on the first one its own."""
        return [task, *self.tasks[task].others] if task in self.tasks else [task]

    def named(self, task: str, place: int) -> str:
        """A task on its first backbone (1), its second, ...; no task of the run where it has not so many."""
        names = self.on(task)
        return names[place - 1] if place <= len(names) else f"{task} on backbone {place}"

    def data_of(self, task: str) -> DataJob:
        """The data job of a task, the same on all its backbones."""
        return next(job for job in self.data if job.task == self.tasks[task].base)

    def backbone(self, name: str) -> BackboneJob:
        """The backbone of that name."""
        return next(job for job in self.backbones if job.name == name)

    def block(self, task: str, method: str) -> Block:
        """The block of a task and a method."""
        return next(block for block in self.blocks if (block.task, block.method) == (task, method))

    @property
    def waits(self) -> dict[str, list[str]]:
        """The marks that each job waits for, by its own mark; those of data aside, for which all wait."""
        bases = {job.name: job.done for job in self.backbones}
        waits = {job.done: [bases[job.backbone], *filter(None, [job.rates_from])] for job in self.prepares}
        return waits | {job.done: job.needs for job in self.tunes} | {job.done: job.needs for job in self.adapts}

    def jobs_of(self, block: Block) -> list[AdaptJob]:
        """The jobs that run the cells of a block."""
        return [job for job in self.adapts if (job.task, job.method) == (block.task, block.method)]

    def cells_of(self, job: AdaptJob) -> list[Cell]:
        """The cells that a job runs."""
        return [cell for cell in self.block(job.task, job.method).cells if cell.seed in job.seeds]

    def of_seeds(self, seeds: Collection[int]) -> Plan:
        """The plan as if it had these seeds alone, for what reads its records."""
        kept = [seed for seed in self.seeds if seed in seeds]
        blocks = [replace(block, cells=[cell for cell in block.cells if cell.seed in kept]) for block in self.blocks]
        return replace(self, seeds=kept, blocks=blocks)

    def takers(self, job: TuneJob) -> list[str]:
        """The methods whose rates, or whose preparation's, a search finds."""
        prepares = {prepare.done for prepare in self.prepares if prepare.rates_from == job.done}
        return [
            block.method
            for block in self.blocks
            if prepares.intersection(block.prepared_by) or any(cell.rates_from == job.done for cell in block.cells)
        ]

    def with_done(self, done: str) -> Any:
        """The job whose mark is the file `done`."""
        jobs: list[Any] = [*self.data, *self.backbones, *self.prepares, *self.tunes, *self.adapts]
        return next(job for job in jobs if job.done == done)

    def scored(self, task: str) -> str:
        """The mark that every finished cell of a task has scores; it knows cells, scoring code and options."""
        adapts = [job.done for job in self.adapts if job.task == task]
        its = self.tasks[task]
        options: Any = [its.metrics, its.own_options] if its.own_options else its.metrics
        if its.judges:
            options = [options, {metric: judge["identity"] for metric, judge in its.judges.items()}]
        key = fingerprint([self.scoring, options, adapts])[:SHORT]
        return f"{self.output}/scores/{task}-{key}.json"

    def save(self) -> None:
        """Write the plan for the jobs, touching the file only when it changed."""
        content = asdict(self, dict_factory=_told)
        if not self.path.is_file() or read_json(self.path) != content:
            write_json(self.path, content)


def _told(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name not in LATER or value != LATER[name]}
