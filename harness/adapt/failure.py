"""Why a cell, a preparation or a backbone failed, kept until `headstart retry` forgets it.

What fails before a cell leaves its failure in the folder that it should have filled; every cell that needed
the folder takes it over into its own record. Where scoring fails the failure stands beside the cell's record.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.adapt.limits import TookTooLong
from harness.adapt.record import FAILED, Status
from harness.base.errors import Diverged, Unsupported, UserError
from harness.base.files import read_json, write_json
from harness.base.progress import say

LONGEST = 2000  # letters of a traceback's end that are kept


@dataclass(frozen=True)
class Failure:
    """What failed, how, and the end of its traceback."""

    what: str
    status: Status
    error: str


def failure_of(what: str, error: Exception) -> Failure:
    """The failure that `error` is; raises it again where it is a mistake in what the whole run is made of."""
    if isinstance(error, UserError):
        raise error
    say(f"{what}: {type(error).__name__}: {error}")
    return Failure(what, _status(error), "".join(traceback.format_exception(error))[-LONGEST:])


def _status(error: Exception) -> Status:
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, Unsupported):
        return "unsupported"
    if isinstance(error, TookTooLong):
        return "timeout"
    # On the CPU torch raises a plain RuntimeError; on a GPU torch.OutOfMemoryError, a RuntimeError too.
    refused = isinstance(error, RuntimeError) and ("allocate memory" in str(error) or "out of memory" in str(error))
    return "out_of_memory" if isinstance(error, MemoryError) or refused else "error"


@contextmanager
def failures_left(folder: Path, what: str) -> Iterator[None]:
    """Leave the failure of what is done inside in `folder`, and go on."""
    try:
        yield
    except Exception as error:  # a method's code may raise anything
        leave_failure(folder, failure_of(what, error))


def leave_failure(folder: Path, failure: Failure) -> None:
    """Keep why `folder` could not be filled."""
    write_json(folder / FAILED, asdict(failure))


def read_failure(folder: Path) -> Failure | None:
    """Why `folder` could not be filled; None where nothing failed there."""
    file = folder / FAILED
    return Failure(**read_json(file)) if file.is_file() else None


def forget_failure(folder: Path) -> None:
    """Let the next run try again to fill `folder`."""
    (folder / FAILED).unlink(missing_ok=True)
