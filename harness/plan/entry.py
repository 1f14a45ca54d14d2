"""What the Snakefile calls: one plan a run, its lock, and each rule's inputs."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from harness.base.disk import Unwritten, refused_by_system, unwritten
from harness.base.errors import UserError, reason
from harness.base.files import check_writable, sweep, write_text
from harness.base.lines import Layers
from harness.base.locks import lock_if_possible
from harness.base.paths import settle_home
from harness.base.progress import say
from harness.base.run_server import start_server
from harness.contracts.config import DEFAULT, RunConfig, located, read_config
from harness.contracts.discover import tasks
from harness.contracts.folders import include
from harness.contracts.model import validate
from harness.contracts.papers import paper_files
from harness.contracts.plan import Plan
from harness.contracts.plan_file import load_plan
from harness.data.build import check_ahead
from harness.plan.checkpoints import check_local
from harness.plan.judges import check_judges
from harness.plan.make import plan_run
from harness.plan.marks import Mark
from harness.plan.request import Request, Tuning

UNLOCKED = "HEADSTART_UNLOCKED"  # the environment variable that is set once this was said, for processes started here
_locks: list[Any] = []  # held until the process ends; the kernel lets go even after SIGKILL


def make_plan(
    where: str = DEFAULT,
    changes: dict[str, Any] | None = None,
    only: dict[str, list[Any]] | None = None,
    tuning: Tuning | None = None,
) -> Plan:
    """The plan of a configuration file; `changes` replace its keys, `only` keeps some of its cells.

    `tuning` asks for a search of every method's rate.
    """
    content, places = read_config([Path(where)])
    return _planned(content | (changes or {}), places, only, tuning)


def include_for(where: str) -> RunConfig:
    """A configuration, whose folders are looked into from now on."""
    content, places = read_config([Path(where)])
    config = located(validate(RunConfig, content, places), places)
    include(config.include)
    return config


def last_plan(where: str) -> Plan | None:
    """The plan that the last run of a configuration file saved; None where it had none, or said something else.

    It serves commands that only look at what stands, where the data that it was made from are elsewhere now.
    """
    config = include_for(where)
    file = Path(config.output) / "plan.json"
    saved = load_plan(file) if file.is_file() else None
    return saved if saved and saved.config == json.loads(config.model_dump_json()) else None


def _planned(
    content: dict[str, Any],
    places: Layers,
    only: dict[str, list[Any]] | None = None,
    tuning: Tuning | None = None,
) -> Plan:
    config = located(validate(RunConfig, content, places), places)
    include(config.include)
    return plan_run(Request(config, places, only or {}, tuning))


def open_run(changes: Sequence[str], files: Sequence[Any]) -> Plan:
    """The plan for a Snakemake run, saved and locked; a mistake ends the run with one sentence.

    `changes` are the words after `--config`, `files` those after `--configfile`.
    """
    settle_home()
    try:
        content, places = read_config([Path(file) for file in files] or [Path(DEFAULT)], changes)
        plan = _planned(content, places)
        take_lock(plan)
        check_writable(Path(plan.output))
        sweep(Path(plan.output))
        _refusal(plan).unlink(missing_ok=True)
        recheck(plan)
        plan.save()
        start_server(Path(plan.output) / ".server")
        return plan
    except UserError as error:
        _leave(str(error))
    except OSError as error:
        if (told := refused_by_system(error)) is None:
            raise
        _leave(told)


def job_command(plan: Plan) -> str:
    """The shell line of a job, in which Snakemake fills in {threads} and {rule}; a rule adds its target."""
    program, path = (
        shlex.quote(word).replace("{", "{{").replace("}", "}}") for word in (sys.executable, str(plan.path))
    )
    return f"OMP_NUM_THREADS={{threads}} exec {program} -m harness.cli.job {{rule}} {path}"


def take_lock(plan: Plan) -> None:
    """Hold the output folder for this process; raises UserError where another run holds it or it cannot be written.

    Where the file system has no locks this is said, and the run goes on.
    """
    path = Path(plan.output) / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+")  # noqa: SIM115 - kept open: closing it would let the lock go
    except OSError as error:
        if told := unwritten(Path(plan.output), error):
            raise told from None
        mend = "choose another `output`"
        raise UserError(f"{plan.output}: the output folder cannot be written ({reason(error)}); {mend}") from None
    try:
        refused = lock_if_possible(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise UserError(f"{plan.output}: another run is at work here (process {owner}); wait until it ends") from None
    if refused and UNLOCKED not in os.environ:
        os.environ[UNLOCKED] = "said"
        say(f"headstart: {plan.output}: files cannot be locked here ({reason(refused)}); start no second run on it")
    _locks.append(file)
    file.seek(0)
    file.truncate()
    with suppress(OSError):  # who holds it is for others to read: on a full disk the lock is held all the same
        file.write(str(os.getpid()))
        file.flush()


def at_work(plan: Plan) -> bool:
    """Whether another process holds the output folder; False where that cannot be seen. Nothing is written."""
    try:
        with open(Path(plan.output) / ".lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def release_locks() -> None:
    """Let another run take the output folders that this process holds."""
    while _locks:
        _locks.pop().close()


def recheck(plan: Plan) -> None:
    """Refuse bad data files, budgets, overlaps and checkpoints before any job runs, as far as that can be seen."""
    recheck_data(plan)
    check_local(plan)
    check_judges(plan, fetch=True)


def recheck_data(plan: Plan) -> None:
    """Refuse bad data files, budgets and overlaps, as far as that can be seen."""
    for job in plan.data:
        check_ahead(tasks()[job.task], job)


def note_refusal(plan: Plan, sentence: str) -> None:
    """Keep why a job refused its input, or could not go on, for the end of the run to tell."""
    with suppress(OSError):
        write_text(_refusal(plan), sentence)


def leave_refused(plan: Plan) -> None:
    """End a run with the sentence of the job that refused its input, if one did, or that nothing can be written."""
    try:
        if _refusal(plan).is_file():
            _leave(_refusal(plan).read_text(encoding="utf-8"))
        check_writable(Path(plan.output))
    except Unwritten as error:
        _leave(str(error))


def _refusal(plan: Plan) -> Path:
    return Path(plan.output) / "logs" / "refused.txt"


class Inputs:
    """The files that each rule of the Snakefile waits for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        # All data stand before any compute, so that a bad file is refused before it costs anything.
        self.data = [job.done for job in plan.data]
        self.waits = plan.waits

    def of(self, mark: Mark) -> Callable[[Any], list[str]]:
        """What a rule's job begins with and the rates searched for it, by its wildcards; data alone for a control.

        `mark` makes the job's mark of the wildcards.
        """
        return lambda wildcards: self.waits[mark(wildcards)] or self.data

    def score(self, wildcards: Any) -> list[str]:
        """The jobs of a task's cells."""
        return [job.done for job in self.plan.adapts if job.task == wildcards.task]

    def collect(self) -> list[str]:
        """Every task's scores, and the plan itself, since a cell that left it leaves the records too."""
        return [*(self.plan.scored(task) for task in self.plan.tasks), str(self.plan.path)]

    def papers(self) -> list[str]:
        """What the papers say: their tables and claims are made again when one of these files changes."""
        return [file for name in self.plan.papers for file in paper_files(name)]


def _leave(sentence: str) -> NoReturn:
    print(f"headstart: {sentence}", file=sys.stderr)
    os._exit(2)  # Snakemake would wrap a SystemExit in a traceback of its own
