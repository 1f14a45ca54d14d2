"""A disk that takes no more is told in one sentence and leaves no halves; what a kill leaves is swept."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.base import disk, files
from harness.base.disk import Unwritten, unwritten
from harness.base.errors import UserError
from harness.base.files import check_writable, sweep, whole_file, whole_folder, write_text
from tests.project import ROOT

FULL = OSError(errno.ENOSPC, "No space left on device")


def chained(outer: Exception, inner: Exception) -> Exception:
    """An error that was raised while another was handled."""
    outer.__context__ = inner
    return outer


KNOWN = {
    "full": (FULL, "the disk is full (No space left on device); free some space"),
    "quota": (OSError(errno.EDQUOT, "over"), "the quota is used up (Disk quota exceeded); free some space"),
    "limit": (OSError(errno.EFBIG, "big"), "a limit on the size of files is reached (File too large); raise the limit"),
    "read-only": (
        OSError(errno.EROFS, "", "out/x/a"),
        "it may not be written (Read-only file system); make the folder",
    ),
    "barred": (
        PermissionError(errno.EACCES, "", "out/x"),
        "it may not be written (Permission denied); make the folder",
    ),
    "rust": (Exception("Error: I/O error: No space left on device (os error 28)"), "the disk is full"),
    "torch": (chained(RuntimeError("enforce fail"), OSError(errno.EFBIG, "big")), "a limit on the size"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_disk_is_told_in_one_sentence(name: str) -> None:
    error, said = KNOWN[name]
    told = unwritten(Path("out/x/a"), error)
    assert isinstance(told, UserError)
    assert str(told).startswith(f"out/x/a: {said}")
    assert "\n" not in str(told)


OTHERS = [
    ZeroDivisionError("division by zero"),
    FileNotFoundError(errno.ENOENT, "none", "out/x/a"),
    PermissionError(errno.EACCES, "no", "/elsewhere/data"),  # something that is read
    UserError("the data: they are bad"),
]


@pytest.mark.parametrize("error", OTHERS, ids=[type(error).__name__ for error in OTHERS])
def test_another_error_stays_what_it_is(error: Exception, tmp_path: Path) -> None:
    assert unwritten(tmp_path / "a", error) is None
    with pytest.raises(type(error)) as raised, whole_file(tmp_path / "a"):
        raise error
    assert raised.value is error


def test_an_error_without_words_on_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch says `unexpected pos 576 vs 534` where the disk is full."""
    monkeypatch.setattr(disk, "_room", lambda path: False)
    assert "the disk is full" in str(unwritten(tmp_path / "a", RuntimeError("unexpected pos")))
    assert unwritten(tmp_path / "a", UserError("the data: they are bad")) is None


@pytest.mark.parametrize("writer", ["whole_file", "whole_folder"])
def test_a_limit_that_is_reached_leaves_what_was_there(writer: str, tmp_path: Path) -> None:
    """A real limit of the system on the size of files, which needs no rights to be set."""
    place = tmp_path / "a"
    with getattr(files, writer)(place) as beside:
        (beside if writer == "whole_file" else beside / "old").write_text("old")
    half = "beside" if writer == "whole_file" else "beside / 'old'"
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        f"from harness.base.files import {writer}\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))\n"
        f"with {writer}(Path(sys.argv[1])) as beside:\n"
        f"    ({half}).write_text('half' * 10000)\n"
    )
    command = [sys.executable, "-c", program, str(place)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        f"harness.base.disk.Unwritten: {place}: a limit on the size of files is reached (File too large); raise the "
        "limit and start again: what was finished is kept"
    )
    assert (place if writer == "whole_file" else place / "old").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_folder_that_was_to_be_filled_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise FULL

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unwritten, match=f"^{tmp_path / 'a'}: the disk is full"), whole_folder(tmp_path / "a") as beside:
        write_text(beside / "part", "x")


def test_a_folder_that_can_be_written_stays_as_it_is(tmp_path: Path) -> None:
    check_writable(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A folder in which a process was killed while it wrote a file and a folder."""
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from harness.base.files import whole_file, whole_folder\n"
        "here = Path(sys.argv[1])\n"
        "with whole_file(here / 'in' / 'a') as one, whole_folder(here / 'b') as two:\n"
        "    one.write_text('half')\n"
        "    (two / 'part').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_what_a_kill_left_is_swept(killed: Path) -> None:
    assert len(names(killed)) == 4
    write_text(killed / "in" / "whole", "x")
    sweep(killed)
    assert names(killed) == ["in", "whole"]


def test_what_is_being_written_is_not_swept(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as beside:
        beside.write_text("x")
        sweep(tmp_path)
    assert names(tmp_path) == ["a"]


def test_what_another_machine_writes_is_not_swept(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = names(killed)
    monkeypatch.setattr(files, "_machine", lambda: "0" * 8)
    sweep(killed)
    assert names(killed) == before
