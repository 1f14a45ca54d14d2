"""What a run says while Snakemake is at work: its jobs by name, how far it is, and about how long is left."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from snakemake_interface_logger_plugins.common import LogEvent
from tqdm import tqdm

from harness.adapt.record import RECORD
from harness.base.progress import say
from harness.contracts.plan import Plan
from harness.plan.estimate import Estimates
from harness.plan.jobs import settled

STREAM = "DefaultStreamHandler"  # Snakemake's handler of the terminal
CELLS = "cells"
TARGET = "all"  # the rule that only names what is wanted
NUMBERED = ("Select jobs to execute...",)  # what Snakemake says of jobs without their names
BEAT = 60.0  # seconds between two lines of a log that say what runs
LEAST = 0.02  # of the work: before that much is done nothing is said of how long the rest takes
TICK = 1.0  # seconds between two looks at what stands
Clock = Callable[[], float]


@dataclass(frozen=True)
class Job:
    """A job for a person: its name, what it leaves file by file, and the seconds of a core for what is missing."""

    name: str
    files: tuple[Path, ...] = ()
    unit: str = ""  # what a file is
    seconds: float = 0.0


@dataclass
class Far:
    """How far a run is, by what stands on disk; told in words."""

    jobs: dict[str, Job]  # by the mark that each leaves
    clock: Clock = time.monotonic
    done: dict[str, int] = field(default_factory=dict)  # files that stand, by mark
    began: float = 0.0
    stood: dict[str, int] = field(default_factory=dict)  # files that stood when the run began

    def __post_init__(self) -> None:
        self.look(self.jobs)
        self.began, self.stood = self.clock(), dict(self.done)

    def look(self, marks: Iterable[str]) -> None:
        """See again what stands of some jobs."""
        for mark in marks:
            files = self.jobs[mark].files
            self.done[mark] = len(files) if Path(mark).is_file() else sum(file.is_file() for file in files)

    @property
    def cells(self) -> tuple[int, int]:
        """The cells that stand, and all."""
        blocks = {mark: len(job.files) for mark, job in self.jobs.items() if job.unit == CELLS}
        return sum(self.done[mark] for mark in blocks), sum(blocks.values())

    def running(self, marks: Iterable[str]) -> str:
        """Some jobs, each with how far it is."""
        return ", ".join(self._how_far(mark) for mark in marks)

    def left(self) -> str:
        """About how long the run will take still, by what it did since it began; empty before that can be said."""
        seconds = sum(job.seconds for job in self.jobs.values())
        done = sum(job.seconds * self._share(mark) for mark, job in self.jobs.items())
        if done <= LEAST * seconds:
            return ""
        return f"about {in_words((self.clock() - self.began) / done * (seconds - done))} left"

    def _share(self, mark: str) -> float:
        """How much of what a job had to do when the run began is done."""
        if Path(mark).is_file():
            return 1.0
        missed = len(self.jobs[mark].files) - self.stood[mark]
        return (self.done[mark] - self.stood[mark]) / missed if missed else 0.0

    def _how_far(self, mark: str) -> str:
        job = self.jobs[mark]
        return f"{job.name} ({self.done[mark]} of {len(job.files)} {job.unit})" if job.files else job.name


class Teller(logging.Filter):
    """Stands before Snakemake's own filter of the terminal: jobs that it tells by name are not told by number."""

    def __init__(self, look: Callable[[], Far], show: Callable[[str], None] = say) -> None:
        super().__init__()
        self._look, self.show = look, show
        self.started: set[int] = set()
        self.running: dict[int, tuple[str, float]] = {}  # a job's mark, and when it began
        self.small: dict[int, tuple[str, float]] = {}  # the name of one that is no job of the plan, and when it began
        self.lock = threading.RLock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell what a record says in the run's own words; whether Snakemake may tell it too."""
        event = getattr(record, "event", None)
        with self.lock:
            if event == LogEvent.JOB_STARTED:
                self.started |= set(getattr(record, "jobs", ()))
            elif event == LogEvent.JOB_INFO:
                self._begin(record)
            elif event == LogEvent.JOB_FINISHED:
                self._end(getattr(record, "job_id", -1))
            elif event == LogEvent.JOB_ERROR:
                self.running.pop(getattr(record, "jobid", -1), None)
        numbered = event in (LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.PROGRESS)
        return not numbered and record.msg not in NUMBERED

    @cached_property
    def far(self) -> Far:
        """How far the run is; it is looked at when the first job begins, as a run without any need not."""
        return self._look()

    def marks(self) -> list[str]:
        """The marks of the jobs that run."""
        with self.lock:
            return [mark for mark, _ in self.running.values()]

    def beat(self) -> None:
        """A line that says what runs and how far it is."""
        if marks := self.marks():
            self.far.look(marks)
            self._line(f"running: {self.far.running(marks)}", self._far())

    def _begin(self, record: logging.LogRecord) -> None:
        """A job that Snakemake runs; a dry run starts none."""
        number, outputs = getattr(record, "jobid", -1), getattr(record, "output", ())
        if number not in self.started or getattr(record, "rule_name", "") == TARGET:
            return
        mark = next((mark for mark in outputs if mark in self.far.jobs), None)
        if mark is None:  # one of a second or two, as of tables: it is told when it is done
            name = " ".join([getattr(record, "rule_name", ""), *_words(getattr(record, "wildcards", None))])
            self.small[number] = name, self.far.clock()
            return
        self.running[number] = mark, self.far.clock()
        self.far.look([mark])
        self._line(f"{self.far.running([mark])}: begun")

    def _end(self, number: int) -> None:
        if number in self.running:
            mark, began = self.running.pop(number)
            self.far.look([mark])
            self._line(f"{self.far.jobs[mark].name}: done after {in_words(self.far.clock() - began)}", self._far())
        elif number in self.small:
            name, began = self.small.pop(number)
            self._line(f"{name}: done after {in_words(self.far.clock() - began)}")

    def _far(self) -> str:
        done, cells = self.far.cells
        return ", ".join(filter(None, [f"{done} of {cells} cells", self.far.left()]))

    def _line(self, *parts: str) -> None:
        self.show(f"[{time.strftime('%H:%M:%S')}] {'; '.join(filter(None, parts))}")


def tell_by_name(plan: Plan) -> None:
    """Have Snakemake's terminal tell a plan's jobs by name; nothing changes where it has another handler."""
    for handler in logging.getLogger("snakemake.logging").handlers:
        if handler.name == STREAM:
            teller = Teller(lambda: Far(jobs_of(plan)))
            handler.filters.insert(0, teller)
            watch = _show_bar if sys.stderr.isatty() else _beat
            threading.Thread(target=watch, args=(teller,), daemon=True).start()


def jobs_of(plan: Plan) -> dict[str, Job]:
    """Every job of a plan that a person waits for, by the mark that it leaves."""
    estimates = Estimates(plan)
    jobs = {job.done: Job(f"data {job.task}") for job in plan.data}
    for backbone in plan.backbones:
        left = 0.0 if Path(backbone.done).is_file() else estimates.backbone(backbone)
        jobs[backbone.done] = Job(f"backbone {backbone.name}", seconds=left)
    for prepare in plan.prepares:
        parts = tuple(Path(part.done) for part in prepare.parts)
        left = estimates.preparation(prepare, sum(not settled(part) for part in prepare.parts))
        jobs[prepare.done] = Job(f"prepare {prepare.title}", parts, "checkpoints", left)
    for search in plan.tunes:  # which rates are tried is seen on the way, so that its files are not known before
        jobs[search.done] = Job(f"tune {search.title}", seconds=estimates.search(search))
    for adapt in plan.adapts:
        records = tuple(Path(cell.folder) / RECORD for cell in plan.cells_of(adapt))
        jobs[adapt.done] = Job(adapt.title, records, CELLS, estimates.adapt(adapt))
    return jobs


def _words(wildcards: Mapping[str, str] | None) -> list[str]:
    """What a rule's wildcards say to a person: all but fingerprints."""
    return [value for name, value in (wildcards or {}).items() if name != "key"]


def in_words(seconds: float) -> str:
    """A time for a person: 9 s, 4 min, 2.5 h."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _beat(teller: Teller) -> None:
    while True:
        time.sleep(BEAT)
        teller.beat()


def _show_bar(teller: Teller) -> None:
    """A bar of cells below the lines, while jobs run."""
    form = "{n_fmt}/{total_fmt} cells |{bar}| {postfix}"
    while not teller.marks():
        time.sleep(TICK)
    with tqdm(total=teller.far.cells[1], unit="cell", leave=False, bar_format=form) as bar:
        while True:
            time.sleep(TICK)
            if marks := teller.marks():
                teller.far.look(marks)
                bar.n = teller.far.cells[0]
                bar.set_postfix_str("; ".join(filter(None, [teller.far.left(), teller.far.running(marks)])))
