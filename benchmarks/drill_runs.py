"""A Snakemake run that can be hurt: its processes by what they do, and the faults that can befall them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil  # Snakemake needs it too

LINGER = 30.0  # seconds that the processes of a run have to end after it


class Hang(Exception):
    """A run, or a process of one, that did not end by itself in time."""


class Run:
    """A run in a session of its own, so that all its processes are known even when those that started them are gone."""

    def __init__(self, command: Sequence[str], log: Path, folder: Path, before: Callable[[], object] | None = None):
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as stream:
            self.begin = time.monotonic()
            self.snakemake = subprocess.Popen(
                command, cwd=folder, stdout=stream, stderr=stream, start_new_session=True, preexec_fn=before
            )

    def processes(self, role: str | None = None) -> list[psutil.Process]:
        """Those of the run that have not ended: all, or the `server`, `jobs` that it forked, their `callers`."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                alive = os.getsid(process.pid) == self.snakemake.pid and process.status() != psutil.STATUS_ZOMBIE
                if alive and role in (None, self._role(process)):
                    found.append(process)
        return found

    def over(self) -> bool:
        """Whether Snakemake has ended."""
        return self.snakemake.poll() is not None

    def wait(self, seconds: float) -> int:
        """Snakemake's exit status, once no process is left; raises Hang where it takes longer than `seconds`."""
        end = self.begin + seconds
        while not self.over():
            if time.monotonic() > end:
                raise Hang(f"the run was still there after {seconds:.0f} s: {self.stop()}")
            time.sleep(0.1)
        end = time.monotonic() + LINGER
        while self.processes():
            if time.monotonic() > end:
                raise Hang(f"processes were still there {LINGER:.0f} s after the run had ended: {self.stop()}")
            time.sleep(0.1)
        return self.snakemake.returncode

    def stop(self) -> str:
        """End every process that is left, and say which those were."""
        left = self.processes()
        told = ", ".join(f"{process.pid} ({self._role(process)}, {process.status()})" for process in left)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return told

    def _role(self, process: psutil.Process) -> str:
        words = " ".join(process.cmdline())
        if "harness.cli.job" in words:
            return "callers"
        if "harness.cli.server" in words:  # Snakemake or a job started the server, and the server forked the jobs
            parent = process.parent()
            return "jobs" if parent and "harness.cli.server" in " ".join(parent.cmdline()) else "server"
        return "others"

    def said(self) -> str:
        """All that the run has written to its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")


Fault = Callable[[Run, random.Random], bool]  # whether there was what it hurts


def kill_the_run(run: Run, _: random.Random) -> bool:
    """SIGKILL to Snakemake and every process of the run."""
    os.killpg(run.snakemake.pid, signal.SIGKILL)
    return True


def kill_snakemake(run: Run, _: random.Random) -> bool:
    """SIGKILL to Snakemake alone: the others must notice."""
    run.snakemake.kill()
    return True


def kill_a_job(run: Run, rng: random.Random) -> bool:
    """SIGKILL to a job, in the process that does it or in the one that asked for it."""
    return _hurt(run, rng, ("jobs", "callers"), psutil.Process.kill)


def kill_the_server(run: Run, rng: random.Random) -> bool:
    """SIGKILL to the process that has the imports and forks the jobs."""
    return _hurt(run, rng, ("server",), psutil.Process.kill)


def stop_a_job(run: Run, rng: random.Random) -> bool:
    """SIGSTOP to a job or the server for a while, then SIGCONT."""

    def stop(process: psutil.Process) -> None:
        process.suspend()
        time.sleep(rng.uniform(1, 4))
        process.resume()

    return _hurt(run, rng, ("jobs", "callers", "server"), stop)


def interrupt(run: Run, _: random.Random) -> bool:
    """SIGINT to all, as Ctrl-C does."""
    os.killpg(run.snakemake.pid, signal.SIGINT)
    return True


def _hurt(run: Run, rng: random.Random, roles: Sequence[str], do: Callable[[psutil.Process], Any]) -> bool:
    there = [process for role in roles for process in run.processes(role)]
    if not there:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        do(rng.choice(there))
        return True
    return False


KILLS: dict[str, Fault] = {
    "a kill of the run": kill_the_run,
    "a kill of Snakemake alone": kill_snakemake,
    "a kill of a job": kill_a_job,
    "a kill of the import server": kill_the_server,
}
OTHERS: dict[str, Fault] = {"a job stopped for a while": stop_a_job, "Ctrl-C": interrupt}
FAULTS = KILLS | OTHERS
# The run goes on in spite of these, and ends well.
BORNE = {"a kill of the import server", "a job stopped for a while"}
