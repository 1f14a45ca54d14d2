"""A run tells its jobs by name, with how far it is and how long is left, and never by number alone."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from harness.cli.told import CELLS, Far, Job, Teller, in_words, jobs_of
from harness.contracts.config import DEFAULT
from harness.plan.entry import make_plan


class Run:
    """Two blocks of four cells and a backbone, a clock of its own, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.now, self.lines, self.folder = 100.0, list[str](), folder
        self.marks = {name: str(folder / name) for name in ("backbone", "lora", "dapt")}
        stands = Path(self.marks["backbone"]).exists()
        jobs = {self.marks["backbone"]: Job("backbone encoder", seconds=0.0 if stands else 20.0)}
        for name in ("lora", "dapt"):
            files = tuple(folder / f"{name}-{number}" for number in range(4))
            missing = sum(not file.exists() for file in files)
            jobs[self.marks[name]] = Job(f"wikiann {name}", files, CELLS, 10.0 * missing)
        self.far = Far(jobs, lambda: self.now)
        self.teller = Teller(lambda: self.far, self.lines.append)

    def log(self, event: LogEvent | None, text: str = "", **more: Any) -> bool:
        record = logging.makeLogRecord({"msg": text, "event": event, **more})
        return self.teller.filter(record)

    def begin(self, name: str, number: int) -> None:
        self.log(LogEvent.JOB_STARTED, "Execute 1 jobs...", jobs=[number])
        self.log(LogEvent.JOB_INFO, jobid=number, output=[self.marks[name]])

    def stand(self, *names: str) -> None:
        for name in names:
            (self.folder / name).touch()

    def told(self) -> list[str]:
        """The lines since the last call, without their time of day."""
        lines = [line.split("] ", 1)[1] for line in self.lines]
        self.lines.clear()
        return lines


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_jobs_are_told_by_name_with_what_is_done_and_left(run: Run) -> None:
    run.begin("backbone", 7)
    assert run.told() == ["backbone encoder: begun"]
    run.now += 40
    run.stand("backbone")
    run.log(LogEvent.JOB_FINISHED, "Finished jobid: 7", job_id=7)
    # It took twice the 20 seconds that were expected, so the other 80 are told as 160.
    assert run.told() == ["backbone encoder: done after 40 s; 0 of 8 cells, about 3 min left"]
    run.stand("lora-0")
    run.begin("lora", 8)
    run.begin("dapt", 9)
    assert run.told() == ["wikiann lora (1 of 4 cells): begun", "wikiann dapt (0 of 4 cells): begun"]
    run.stand("lora-1", "dapt-0")
    run.now += 20
    run.teller.beat()
    running = "running: wikiann lora (2 of 4 cells), wikiann dapt (1 of 4 cells)"
    assert run.told() == [f"{running}; 3 of 8 cells, about 60 s left"]


def test_no_two_jobs_of_the_default_have_one_name() -> None:
    names = [job.name for job in jobs_of(make_plan(DEFAULT)).values()]
    assert len(set(names)) == len(names)


def test_small_jobs_are_told_when_they_are_done(run: Run) -> None:
    run.log(LogEvent.JOB_STARTED, "Execute 1 jobs...", jobs=[5])
    run.log(LogEvent.JOB_INFO, jobid=5, output=["scores"], rule_name="score", wildcards={"task": "wikiann", "key": "1"})
    assert run.told() == []
    run.now += 2
    run.log(LogEvent.JOB_FINISHED, job_id=5)
    assert run.told() == ["score wikiann: done after 2 s"]


def test_what_stood_before_says_nothing_of_this_runs_speed(tmp_path: Path) -> None:
    first = Run(tmp_path)
    first.stand("backbone", "lora", "lora-0", "lora-1", "lora-2", "lora-3")
    run = Run(tmp_path)
    run.begin("dapt", 1)
    run.now += 30
    run.teller.beat()
    assert run.told()[-1].endswith("; 4 of 8 cells")  # nothing is done yet that a rate could be taken from
    run.stand("dapt-0", "dapt-1")
    run.teller.beat()
    assert run.told() == ["running: wikiann dapt (2 of 4 cells); 6 of 8 cells, about 30 s left"]


def test_snakemake_tells_all_but_numbers(run: Run) -> None:
    assert not run.log(LogEvent.JOB_STARTED, "Execute 2 jobs...", jobs=[1])
    assert not run.log(LogEvent.JOB_FINISHED, "Finished jobid: 1 (Rule: tables)", job_id=1)
    assert not run.log(LogEvent.PROGRESS, done=1, total=2)
    assert not run.log(None, "Select jobs to execute...")
    assert run.log(None, "Nothing to be done (all requested files are present and up to date).")
    assert run.log(LogEvent.JOB_ERROR, jobid=1)
    assert run.log(LogEvent.WORKFLOW_STARTED)


def test_a_job_that_fails_runs_no_more_and_a_dry_run_begins_none(run: Run) -> None:
    run.begin("lora", 3)
    run.log(LogEvent.JOB_ERROR, jobid=3)
    assert run.teller.marks() == []
    run.told()
    run.log(LogEvent.JOB_INFO, jobid=4, output=[run.marks["dapt"]])
    assert (run.told(), run.teller.marks()) == ([], [])


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (99.4, "99 s"), (99.5, "2 min"), (5399, "90 min"), (5400, "1.5 h")]
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
