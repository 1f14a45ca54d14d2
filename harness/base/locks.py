"""Locks on open files, which the kernel lets go when a process ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
from typing import IO, Any

NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}  # what a file system without flock answers


def lock_if_possible(file: IO[Any], how: int) -> OSError | None:
    """Lock as `fcntl.flock` does; returns what it raised where the file system has no locks, and raises all else."""
    try:
        fcntl.flock(file, how)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return error
    return None
