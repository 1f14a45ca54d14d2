"""Files and folders appear whole or not at all, whatever ends the program that writes them."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from harness.base import files
from harness.base.files import read_json, read_lines, whole_file, whole_folder, write_json, write_lines, write_text

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_in(writer: AbstractContextManager[Path], name: str) -> None:
    """Write half of something, then fail."""
    with writer as beside:
        (beside / name).write_text("half")
        raise ZeroDivisionError


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "a.json", {"b": [1, None, "ü"]})
    write_lines(tmp_path / "a.jsonl", [{"x": "one\nline"}, {"x": "\u2028"}])
    assert read_json(tmp_path / "deep" / "a.json") == {"b": [1, None, "ü"]}
    assert read_lines(tmp_path / "a.jsonl") == [{"x": "one\nline"}, {"x": "\u2028"}]
    assert names(tmp_path) == ["a.jsonl", "deep"]


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"x": 1, "y": 2})
    write_json(tmp_path / "b", {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError):
        fail_in(whole_file(tmp_path / "a"), "")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_failure_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a", {"x": object()})
    assert names(tmp_path) == []


def test_a_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "a") as beside:
        (beside / "old").write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail_in(whole_folder(tmp_path / "a"), "new")
    assert names(tmp_path / "a") == ["old"]
    assert names(tmp_path) == ["a"]


def test_a_new_folder_takes_the_place_of_the_old(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with whole_folder(tmp_path / "a") as beside:
            (beside / name).write_text(name)
    assert names(tmp_path / "a") == ["new"]
    assert names(tmp_path) == ["a"]


def test_an_old_folder_is_never_removed_where_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill in the midst of removing would leave a folder that looks whole."""
    with whole_folder(tmp_path / "a") as beside:
        (beside / "old").write_text("old")
    removed: list[Path] = []
    remove = shutil.rmtree

    def note(path: Path, ignore_errors: bool = False) -> None:
        removed.append(path)
        remove(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(files.shutil, "rmtree", note)
    with whole_folder(tmp_path / "a") as beside:
        (beside / "new").write_text("new")
    assert tmp_path / "a" not in removed


@pytest.mark.parametrize("writer", ["whole_file", "whole_folder"])
def test_a_kill_leaves_what_was_there(tmp_path: Path, writer: str) -> None:
    place = tmp_path / "a"
    with getattr(files, writer)(place) as beside:
        (beside if writer == "whole_file" else beside / "old").write_text("old")
    half = "beside" if writer == "whole_file" else "beside / 'old'"
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        f"from harness.base.files import {writer}\n"
        f"with {writer}(Path(sys.argv[1])) as beside:\n"
        f"    ({half}).write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(place)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (place if writer == "whole_file" else place / "old").read_text() == "old"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "a", "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_is_written_to(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", never)
    write_text(tmp_path / "a", "new")
    with whole_folder(tmp_path / "b") as beside:
        (beside / "c").write_text("new")
    assert names(tmp_path) == ["a", "b"]
    assert (tmp_path / "b" / "c").read_text() == "new"
