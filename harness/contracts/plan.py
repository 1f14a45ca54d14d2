"""The plan of a run: every job, its files and its fingerprints, resolved from the configuration.

Names of files hold fingerprints, so a file that stands is never stale: what changed has another name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.base.files import read_json, write_json
from harness.base.fingerprint import fingerprint
from harness.contracts.budget import told, told_all
from harness.contracts.config import Precision
from harness.contracts.task import Overlap, Role, SourceName

SHORT = 10  # digits of a fingerprint in a file's name
LATER: dict[str, Any] = {
    "needs_dev": False,
    "points": [],
    "others": [],
    "judges": {},
    "metric_options": {},
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
    """A preparation for a task, over its seeds and, where it is per domain, its target domains."""

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
    """The cells that one job runs in one process."""

    task: str
    method: str
    planned_from: list[Any]  # the folders' code and the adaptation, to see that they are still the same
    train: dict[str, Any]
    prepare_done: str | None
    backbone: str
    cells: list[Cell]
    done: str
    reads_targets: bool = False  # whether the preparation reads labelled examples of the scored domains
    match_parameters: float | None = None  # the share of the backbone that was asked for
    sized_by: list[str] = field(default_factory=list)  # the options that are solved for it; none: not matched
    rates: Origin = "none"
    preparation_rates: Origin = "none"
    precision: Precision = "float32"  # in which frozen dense layers multiply
    points: list[int] = field(default_factory=list)  # of the training, at which the test split is scored too


@dataclass(frozen=True)
class TaskPlan:
    """How a task takes part in the run."""

    label: str
    folder: str
    kind: str
    metric: str
    direction: str
    source: SourceName
    backbone: str
    budgets: list[int]
    domains: list[str]
    max_length: int
    target_length: int
    test_examples: int | None
    overlap_allowed: bool
    generates: bool = False  # whether replies of dialogues are generated too
    domains_are: str = "fixed"  # or a sample of many, of which intervals then speak
    generation: dict[str, Any] = field(default_factory=dict)  # what the run says in the place of the task
    metrics: dict[str, Any] = field(default_factory=dict)  # options of the metrics that have any
    own_metrics: dict[str, str] = field(default_factory=dict)  # of domains that are ranked by another metric
    own_options: dict[str, dict[str, Any]] = field(default_factory=dict)  # of metrics, where they depend on the domain
    judges: dict[str, dict[str, Any]] = field(default_factory=dict)  # the models that judge for a metric, by its name
    others: list[str] = field(default_factory=list)  # the names of the task on further backbones, told by the first

    @property
    def base(self) -> str:
        """The task's own name, that of its folder, which on further backbones is `task@backbone`."""
        return Path(self.folder).name

    def metric_of(self, domain: str) -> str:
        """The metric that ranks methods on a domain."""
        return self.own_metrics.get(domain, self.metric)

    def options_of(self, domain: str) -> dict[str, Any]:
        """The options of metrics on a domain; of a judge its name and what tells it from others, not where it lies."""
        judges = {metric: {name: its[name] for name in ("model", "identity")} for metric, its in self.judges.items()}
        return self.metrics | judges | self.own_options.get(domain, {})

    @property
    def metric_in_words(self) -> str:
        """The task's metric, and which domains have another."""
        others = ", ".join(
            f"{metric} on {domain}" for domain, metric in self.own_metrics.items() if domain in self.domains
        )
        return f"{self.metric} ({others})" if others else self.metric


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
        return [task for task in self.tasks if any(block.task == task and "@" in block.method for block in self.blocks)]

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

    def takers(self, job: TuneJob) -> list[str]:
        """The methods whose rates, or whose preparation's, a search finds."""
        prepares = {prepare.done for prepare in self.prepares if prepare.rates_from == job.done}
        return [
            block.method
            for block in self.blocks
            if block.prepare_done in prepares or any(cell.rates_from == job.done for cell in block.cells)
        ]

    def with_done(self, done: str) -> Any:
        """The job whose mark is the file `done`."""
        jobs: list[Any] = [*self.data, *self.backbones, *self.prepares, *self.tunes, *self.blocks]
        return next(job for job in jobs if job.done == done)

    def scored(self, task: str) -> str:
        """The mark that every finished cell of a task has scores; it knows blocks, scoring code and options."""
        blocks = [block.done for block in self.blocks if block.task == task]
        its = self.tasks[task]
        options: Any = [its.metrics, its.own_options] if its.own_options else its.metrics
        if its.judges:
            options = [options, {metric: judge["identity"] for metric, judge in its.judges.items()}]
        key = fingerprint([self.scoring, options, blocks])[:SHORT]
        return f"{self.output}/scores/{task}-{key}.json"

    def save(self) -> None:
        """Write the plan for the jobs, touching the file only when it changed."""
        content = asdict(self, dict_factory=_told)
        if not self.path.is_file() or read_json(self.path) != content:
            write_json(self.path, content)


def _told(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name not in LATER or value != LATER[name]}
