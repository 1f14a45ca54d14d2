"""The address of a run's server, which does its jobs' imports: how it is started, reached, and started again."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

SERVER = "HEADSTART_SERVER"  # the environment variable with the server's address, for the jobs
RUN = "HEADSTART_RUN"  # and that with the run that it serves: its process and machine
LONGEST_ADDRESS = 100  # bytes; the system allows a socket's path 104 or 108
PATIENCE = 10.0  # seconds in which a server that was started must answer


def start_server(address: Path) -> None:
    """Start the server of this run, which ends with this process; an address that is too long has none."""
    if len(os.fsencode(address)) > LONGEST_ADDRESS:
        return  # the jobs then do their own imports
    address.unlink(missing_ok=True)  # what a killed run left; this run holds the lock
    os.environ[SERVER] = str(address)
    os.environ[RUN] = f"{os.getpid()}@{socket.gethostname()}"
    _start(str(address), os.getpid())


def connected() -> socket.socket | None:
    """A connection to the run's server, which is started again where it was killed; None where there is none."""
    address = os.environ.get(SERVER)
    return _reached(address) or _revived(address) if address else None


def _revived(address: str) -> socket.socket | None:
    """A connection to a new server, where the run is of this machine and goes on; one of several callers starts it."""
    number, _, machine = os.environ.get(RUN, "").partition("@")
    if not number.isdecimal() or machine != socket.gethostname():
        return None
    try:
        os.kill(int(number), 0)
        with open(f"{address}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if found := _reached(address):  # another caller has started it
                return found
            with suppress(FileNotFoundError):
                os.unlink(address)
            _start(address, int(number))
            begin = time.monotonic()
            while time.monotonic() < begin + PATIENCE:
                if found := _reached(address):
                    return found
                time.sleep(0.05)
    except OSError:  # no such run any more, no locks here, no room for a process
        pass
    return None


def _reached(address: str) -> socket.socket | None:
    try:
        server = socket.socket(socket.AF_UNIX)
        server.connect(address)
    except OSError:
        return None
    return server


def _start(address: str, run: int) -> None:
    """The server lives as long as the run, whoever starts it, and does not hold a job's log open."""
    command = [sys.executable, "-m", "harness.cli.server", address, str(run)]
    log = None if run == os.getpid() else subprocess.DEVNULL
    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
