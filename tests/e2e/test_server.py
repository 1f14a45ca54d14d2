"""The process that forks the jobs: what its callers see, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.project import ROOT, wait_until


@pytest.fixture
def address() -> Iterator[Path]:
    """A place for a socket; its path must be short."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "server"
        wait_until(lambda: not (Path(folder) / "server").exists())


@pytest.fixture
def server(address: Path) -> Iterator[subprocess.Popen[str]]:
    """A server that ends with the small process that started it, as it does with Snakemake."""
    starter = (
        "import os, subprocess, sys; p = subprocess.Popen([*sys.argv[1:], str(os.getpid())]); "
        "print(p.pid, flush=True); p.wait(); sys.stdin.read()"
    )
    command = [sys.executable, "-m", "harness.cli.server", str(address)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    parent = subprocess.Popen([sys.executable, "-c", starter, *command], cwd=ROOT, text=True, **pipes)
    wait_until(address.exists)
    yield parent
    parent.kill()


def start_job(address: Path, plan: Path, run: str = "") -> subprocess.Popen[str]:
    """A job whose plan is `plan`."""
    command = [sys.executable, "-m", "harness.cli.job", "data", str(plan), "none"]
    environment = {**os.environ, "HEADSTART_SERVER": str(address), "HEADSTART_RUN": run}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def children(process: int) -> list[int]:
    """The processes that a process started and that still run."""
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def running_job(server: subprocess.Popen[str], address: Path, folder: Path) -> tuple[subprocess.Popen[str], int]:
    """A job that waits for a pipe to be written, and the forked process that does it."""
    pipe = folder / "plan.json"
    os.mkfifo(pipe)
    job = start_job(address, pipe)
    assert server.stdout is not None
    forker = int(server.stdout.readline())
    wait_until(lambda: bool(children(forker)))
    forked = children(forker)[0]
    # Its second thread watches the caller, whom it has told before that it began; ended earlier, it would leave the
    # job to the caller.
    wait_until(lambda: len(list(Path(f"/proc/{forked}/task").iterdir())) > 1)
    return job, forked


def test_a_job_that_raises_ends_its_caller_with_one(
    server: subprocess.Popen[str], address: Path, tmp_path: Path
) -> None:
    job = start_job(address, tmp_path / "absent.json")
    assert "FileNotFoundError" in job.communicate(timeout=60)[1]
    assert job.returncode == 1


def test_without_a_server_the_job_is_done_by_its_caller(tmp_path: Path) -> None:
    job = start_job(tmp_path / "nobody", tmp_path / "absent.json")
    assert "FileNotFoundError" in job.communicate(timeout=60)[1]
    assert job.returncode == 1


def test_a_job_that_no_process_began_is_done_by_its_caller(address: Path, tmp_path: Path) -> None:
    """The server was killed with callers in its queue."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        job = start_job(address, tmp_path / "absent.json")
        listener.accept()[0].close()
    address.unlink()
    assert "FileNotFoundError" in job.communicate(timeout=60)[1]
    assert job.returncode == 1


def test_a_killed_server_is_started_again_and_ends_with_its_run(
    server: subprocess.Popen[str], address: Path, tmp_path: Path
) -> None:
    assert server.stdout is not None
    first = int(server.stdout.readline())
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{first}").exists())
    pipe, run = tmp_path / "plan.json", f"{server.pid}@{socket.gethostname()}"
    os.mkfifo(pipe)
    jobs = [start_job(address, pipe, run) for _ in range(2)]  # of which one starts it
    wait_until(lambda: len(forkers(address)) == 3)  # the server and two processes that it forked
    for job in jobs:
        job.kill()
        job.communicate(timeout=60)
    wait_until(lambda: len(forkers(address)) == 1)
    server.kill()
    server.communicate()
    wait_until(lambda: not forkers(address))


def test_a_job_ends_with_a_caller_that_was_killed_before_it_had_read_all() -> None:
    """Its end then comes as an error and not as the end of what it says."""
    ours, its = socket.socketpair()
    code = (
        "import socket, sys, time; from harness.cli.server import BEGUN, end_with_caller; "
        "its = socket.socket(fileno=int(sys.argv[1])); its.sendall(BEGUN); end_with_caller(its); time.sleep(90)"
    )
    job = subprocess.Popen([sys.executable, "-c", code, str(its.fileno())], pass_fds=[its.fileno()], cwd=ROOT)
    its.close()
    ours.recv(1, socket.MSG_PEEK)  # it is told, and nobody reads it
    ours.close()
    assert job.wait(timeout=60) == 1


def forkers(address: Path) -> list[int]:
    """The server at an address and the processes that it forked."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[1:4] == ["-m", "harness.cli.server", str(address)]:
            found.append(process.pid)
    return found


@pytest.mark.parametrize("run", ["", "1@elsewhere", f"999999999@{socket.gethostname()}"])
def test_no_server_is_started_for_a_run_that_is_not_here(run: str, tmp_path: Path) -> None:
    job = start_job(tmp_path / "nobody", tmp_path / "absent.json", run)
    assert "FileNotFoundError" in job.communicate(timeout=60)[1]
    assert not (tmp_path / "nobody").exists()


@pytest.mark.parametrize("words", [b"", (100).to_bytes(8, "big") + b"half", (4).to_bytes(8, "big") + b"odd}"])
def test_a_caller_that_ends_before_it_says_what_it_wants_stops_no_other(
    words: bytes, server: subprocess.Popen[str], address: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(address))
        caller.sendall(words)
    job, forked = running_job(server, address, tmp_path)  # the server answers the next one
    os.kill(forked, signal.SIGKILL)
    job.communicate(timeout=60)


def test_a_server_leaves_the_socket_of_the_next_run(
    server: subprocess.Popen[str], address: Path, tmp_path: Path
) -> None:
    """A server that was stopped when its run was killed wakes up when another run has begun."""
    assert server.stdout is not None
    forker = int(server.stdout.readline())
    address.unlink()
    with socket.socket(socket.AF_UNIX) as next_one:
        next_one.bind(str(address))
        server.kill()
        wait_until(lambda: not Path(f"/proc/{forker}").exists())
        assert address.exists()
    address.unlink()


def test_a_killed_job_is_told_to_its_caller(server: subprocess.Popen[str], address: Path, tmp_path: Path) -> None:
    job, forked = running_job(server, address, tmp_path)
    os.kill(forked, signal.SIGKILL)
    assert "ended from outside" in job.communicate(timeout=60)[1]
    assert job.returncode == 1


def test_a_forked_job_ends_with_its_caller(server: subprocess.Popen[str], address: Path, tmp_path: Path) -> None:
    job, forked = running_job(server, address, tmp_path)
    job.kill()
    wait_until(lambda: not Path(f"/proc/{forked}").exists())
