"""What strangers' machines lack or do in another way: threads, shells, locks, sockets, terminals, homes."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base import run_server
from harness.base.disk import refused_by_system
from harness.base.errors import UserError
from harness.base.paths import settle_home
from harness.base.threads import threads
from harness.cli import listing
from harness.cli.columns import aligned
from harness.cli.main import main
from harness.contracts.plan import Plan
from harness.plan.entry import at_work, job_command, release_locks, take_lock
from tests.unit.made_records import made_plan

ROOT = Path(__file__).parents[2]
ODD = '-my run\'s $HOME & (best) {x}; "y" *'


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plan]:
    """A plan whose output folder does not stand yet."""
    monkeypatch.delenv("HEADSTART_UNLOCKED", raising=False)
    yield made_plan(str(tmp_path / "out"))
    release_locks()


@pytest.mark.parametrize(
    ("value", "number"),
    [("4", 4), ("4,2", 4), (" 4 , 2 ", 4), ("", None), ("many", None), ("0", None), ("-1", None), ("4,x", None),
     ("4,", None), ("1.5", None), ("٤", None), (None, None)],
)  # fmt: skip
def test_threads_are_read_as_openmp_reads_them(
    value: str | None, number: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if value is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads() == number


@pytest.mark.parametrize(("value", "kept"), [("", "1"), ("many", "1"), ("4,2", "4,2")])
def test_a_command_has_one_thread_unless_told(
    value: str, kept: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert main(["list", "tasks"]) == 0
    assert os.environ["OMP_NUM_THREADS"] == kept


def test_no_letter_of_a_path_is_read_by_the_shell_or_by_snakemake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", f"/{ODD}/python")
    line = job_command(made_plan(f"runs/{ODD}")).format(threads=2, rule="data")
    words = ["OMP_NUM_THREADS=2", "exec", f"/{ODD}/python", "-m", "harness.cli.job", "data", f"runs/{ODD}/plan.json"]
    assert shlex.split(line) == words


def test_every_rule_quotes_what_it_adds() -> None:
    lines = [line.strip() for line in (ROOT / "Snakefile").read_text().splitlines() if "shell:" in line]
    assert len(lines) >= 10
    assert lines[0] == 'shell: JOB + " {output:q} 2> {log:q}"'
    for line in lines:
        fields = line.split("{")[1:]
        assert all(field.split("}")[0].endswith(":q") for field in fields), line


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_a_run_goes_on_and_says_so_once(
    number: int, plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_lock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_lock)
    take_lock(plan)
    take_lock(plan)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(f"headstart: {plan.output}: files cannot be locked here")
    assert not at_work(plan)
    assert (Path(plan.output) / ".lock").read_text() == str(os.getpid())


def test_another_error_of_a_lock_is_not_passed_over(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="Input/output"):
        take_lock(plan)


def test_looking_for_a_run_leaves_nothing(plan: Plan) -> None:
    assert not at_work(plan)
    assert not Path(plan.output).exists()
    take_lock(plan)
    assert at_work(plan)
    with pytest.raises(UserError, match=f"another run is at work here .process {os.getpid()}"):
        take_lock(plan)
    release_locks()
    assert not at_work(plan)
    take_lock(plan)


def test_an_output_that_cannot_be_written_is_told(plan: Plan) -> None:
    Path(plan.output).write_text("a file")
    with pytest.raises(UserError, match=r"out: the output folder cannot be written .*choose another"):
        take_lock(plan)


@pytest.mark.parametrize(("number", "told"), [(errno.EACCES, "Permission denied"), (errno.ENOSPC, "No space left")])
def test_what_the_system_refuses_is_told(
    number: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "here/file")

    monkeypatch.setattr(listing, "methods", refuse)
    assert main(["list", "methods"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("headstart: here/file: the system refuses it (")
    assert told in err
    assert err.count("\n") == 1


def test_another_error_of_the_system_is_told_as_it_is() -> None:
    assert refused_by_system(OSError(errno.EIO, "broken", "here")) is None


NO_SOCKETS = """
import errno, os, socket, sys
class Socket(socket.socket):
    def bind(self, address):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
socket.socket = Socket
from harness.cli import server
server.main()
"""


def test_a_server_without_sockets_says_so_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NO_SOCKETS, str(tmp_path / "server"), str(os.getpid())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "no socket (OSError: [Errno 95]" in done.stderr


def test_a_job_without_sockets_is_done_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(socket, "socket", none)
    monkeypatch.setenv(run_server.SERVER, str(tmp_path / "server"))
    monkeypatch.setenv(run_server.RUN, f"{os.getpid()}@{socket.gethostname()}")
    monkeypatch.setattr(run_server, "PATIENCE", 0.1)
    monkeypatch.setattr(run_server, "_start", lambda address, run: None)
    assert run_server.connected() is None


def test_a_reader_that_leaves_ends_a_command_in_silence() -> None:
    """As `headstart list methods | head -1` does; the pipe is closed before a line is written."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "harness.cli.main", "list", "methods"]
    done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.stderr, done.returncode) == ("", 141)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_letter_that_a_terminal_lacks_ends_no_command(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", shown)
    assert main(["list", "methods"]) == 0
    text = shown.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert "MP ? AT" in text


def test_where_no_home_is_known_one_is_named_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/a/home")
    settle_home()
    assert os.environ["HOME"] == "/a/home"
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    settle_home()
    assert os.environ["HOME"] == os.devnull


LAST_WORDS = """
import os, time
from harness.base.processes import end_with_parent
def last():
    raise FileNotFoundError("the folder is gone")
if os.fork() == 0:
    end_with_parent(last)
    time.sleep(60)
time.sleep(1)
"""


def test_a_process_ends_with_its_parent_whatever_befalls_its_last_words() -> None:
    command = [sys.executable, "-c", LAST_WORDS]
    # The pipe ends when the last process that holds it does: a minute from now, were the child left behind.
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=30)


def test_columns_stand_below_one_another() -> None:
    rows = [("a", "one", "1"), ("a_longer_name", "x", "23")]
    assert aligned(rows, right=[2]) == ["a              one   1", "a_longer_name  x    23"]
    assert aligned([]) == []


def test_listed_labels_begin_in_one_column(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    width = max(len(line.split()[0]) for line in lines)
    assert {line[width : width + 2] for line in lines} == {"  "}
    assert all(line[width + 2] != " " for line in lines)
