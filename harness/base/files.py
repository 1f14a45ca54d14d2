"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from harness.base.disk import unwritten

BESIDE = re.compile(r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<process>[0-9]+)-[0-9a-f]{8}(\.old)?")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a place beside `path` to write to; sync it and rename it into place.

    Raises Unwritten where the disk is full or may not be written to.
    """
    beside = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        _sync(beside)
        os.replace(beside, path)
    except Exception as error:  # before the half is removed, which makes room again
        if told := unwritten(path, error):
            raise told from error
        raise
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a folder beside `path` to fill; rename it into place when it is complete.

    Raises Unwritten where the disk is full or may not be written to.
    """
    beside = _beside(path)
    old = beside.with_name(f"{beside.name}.old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        yield beside
        for written in beside.rglob("*"):
            if written.is_file():
                _sync(written)
        if path.exists():
            # Out of the way in one step: a kill while it is removed must not leave half of it in its place.
            os.replace(path, old)
        os.replace(beside, path)
    except Exception as error:
        if told := unwritten(path, error):
            raise told from error
        raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove the halves that processes of this machine left in `folder` when they were killed."""
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            found = BESIDE.fullmatch(name)
            if found and found["machine"] == _machine() and not _alive(int(found["process"])):
                half = Path(parent) / name
                with suppress(OSError):
                    half.unlink() if half.is_file() else shutil.rmtree(half)


def check_writable(folder: Path) -> None:
    """Raise Unwritten unless a small file can be written to `folder`."""
    write_text(folder / ".writable", "x" * 4096)
    (folder / ".writable").unlink()


def _beside(path: Path) -> Path:
    """A hidden name beside `path` that no other process takes, and that says whose it is."""
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")


@cache
def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def _sync(path: Path) -> None:
    """Have a file on the disk before it is named, where the file system can promise that."""
    with open(path, "rb") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    """Write `rows` as JSON lines, whole or not at all."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows))


def read_json(path: Path) -> Any:
    """The JSON value in `path`."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[Any]:
    """The JSON values in `path`, one a line."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
