"""A disk that is full, or that may not be written to, told in one sentence."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import UserError

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "a limit on the size of files is reached",
}
BARRED = {errno.EROFS, errno.EACCES, errno.EPERM}


class Unwritten(UserError, OSError):
    """A file that could not be written, for whoever asks why: `errno` says it as the system does."""

    def __init__(self, path: Path, number: int, why: str, mend: str) -> None:
        super().__init__(f"{path}: {why} ({os.strerror(number)}); {mend}")
        self.errno = number


def unwritten(path: Path, error: BaseException) -> Unwritten | None:
    """The sentence for an error by which `path` could not be written; None where something else is wrong.

    Libraries that write in Rust or C++ tell of the disk in words of their own, or not at all.
    """
    for one in _chain(error):
        number = _number(one)
        if number in FULL:
            return _full(path, number)
        if number in BARRED and isinstance(one, OSError) and _concerns(one, path.parent):
            mend = "make the folder writable or choose another `output`"
            return Unwritten(path, number, "it may not be written", mend)
    return None if isinstance(error, UserError) or _room(path) else _full(path, errno.ENOSPC)


def refused_by_system(error: OSError) -> str | None:
    """The sentence about any other place that the system lets nobody read or write; None for any other error."""
    if error.errno not in FULL.keys() | BARRED:
        return None
    mend = "make room, change its rights or choose another place"
    return f"{error.filename or 'the disk'}: the system refuses it ({error.strerror}); {mend}"


def _full(path: Path, number: int) -> Unwritten:
    mend = "raise the limit" if number == errno.EFBIG else "free some space"
    return Unwritten(path, number, FULL[number], f"{mend} and start again: what was finished is kept")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = re.search(r"os error (\d+)", str(error))
    return int(found[1]) if found else None


def _concerns(error: OSError, folder: Path) -> bool:
    """Whether an error is about `folder`, what is in it, or what it is in."""
    if error.filename is None:
        return True
    named = Path(os.fsdecode(error.filename)).absolute()
    return named.is_relative_to(folder.absolute()) or folder.absolute().is_relative_to(named)


def _room(path: Path) -> bool:
    """Whether there is any room where `path` is to be written."""
    there = next((folder for folder in path.absolute().parents if folder.is_dir()), Path("/"))
    return os.statvfs(there).f_bavail > 0
