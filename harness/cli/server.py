"""The run's server: it imports torch and transformers once and forks a process for each job.

Importing them costs four to five CPU seconds, more than many a job's own work. A forked process starts
with them in memory, does one job as if it had been started by itself, and ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.base.errors import UserError, reason
from harness.base.processes import end_with
from harness.base.progress import say
from harness.base.threads import threads

# What each rule's job would import. Importing starts no thread, which a fork would lose.
TRAINING = ("harness.prepare.pretraining", "harness.prepare.workshop", "harness.adapt.cell")
REPORTING = ("harness.cli.report",)
IMPORTS = {
    "backbone": TRAINING,
    "prepare": TRAINING,
    "tune": (*TRAINING, "harness.score.score", "harness.tune.search"),
    "adapt": TRAINING,
    "score": ("harness.score.score",),
    "collect": REPORTING,
    "tables": REPORTING,
    "leaderboard": REPORTING,
    "figures": REPORTING,
    "outcome": REPORTING,
}
PATIENCE = 10.0  # seconds that a caller has to say what it wants
BEGUN = b"b"  # what a caller hears first, from the process that does its job
_served: list[str] = []  # the rules of the jobs that were forked
_bound: list[int] = []  # the inode of this server's socket


def main() -> None:
    """Serve jobs at the address given until the process of the run ends, whose number comes after it."""
    end_with(int(sys.argv[2]), last)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for Snakemake, which then ends its jobs
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a job here: its caller hears from it
    # From Python 3.12 on. The other thread is the one above, which sleeps, and holds no lock that a job asks for.
    warnings.filterwarnings("ignore", r"This process \(pid=\d+\) is multi-threaded", DeprecationWarning)
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sys.argv[1])
        _bound.append(os.stat(sys.argv[1]).st_ino)
    except OSError as error:
        return say(f"headstart: {sys.argv[1]}: no socket ({reason(error)}); each job does its own imports, in seconds")
    listener.listen(64)
    while True:
        caller, _ = listener.accept()
        try:
            request, streams = receive(caller)
        except (OSError, ValueError):  # it was ended or stopped before it had said what it wants; no other job waits
            caller.close()
            continue
        for module in ("harness.cli.work", *IMPORTS.get(request["words"][0], ())):
            importlib.import_module(module)
        if IMPORTS.get(request["words"][0]) is TRAINING:
            import_models(Path(request["folder"], request["words"][1]))
        _served.append(request["words"][0])
        gc.freeze()  # what stands is never looked at again, so its memory stays shared
        if os.fork() == 0:
            listener.close()
            serve(caller, request, streams)
        caller.close()
        for stream in streams:
            os.close(stream)


def import_models(plan: Path) -> None:
    """Import the models of a plan's backbones, where they are known: a job would import them itself."""
    from transformers.models.auto.configuration_auto import model_type_to_module_name

    from harness.backbone.anatomy import architecture_of
    from harness.base.files import read_json

    with suppress(OSError, ValueError):  # a plan that cannot be read, the job tells of, as of a checkpoint
        for backbone in read_json(plan)["backbones"]:
            spec = backbone["spec"]
            folder = Path(spec.get("path", backbone["folder"]))
            with suppress(UserError, ImportError):
                name = model_type_to_module_name(spec.get("architecture") or architecture_of(folder))
                importlib.import_module(f"transformers.models.{name}.modeling_{name}")


def last() -> None:
    """Done when the run has ended; a run that had nothing to do leaves no note."""
    if _served:
        note_cpu("server")
    with suppress(OSError):  # a server that was stopped for a while may find another run's socket in its place
        if _bound == [os.stat(sys.argv[1]).st_ino]:
            os.unlink(sys.argv[1])


def note_cpu(what: str) -> None:
    """Add a line to the run's logs/cpu.csv: what this process did, and its CPU seconds."""
    file = Path(sys.argv[1]).parent / "logs" / "cpu.csv"
    with suppress(OSError):  # a note is not worth a job
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a") as lines:  # one short write, which other jobs cannot come in between
            lines.write(f"{what},{time.process_time():.3f}\n")


def receive(caller: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A job's words, environment and folder, and its standard output and error; OSError where it does not say."""
    caller.settimeout(PATIENCE)
    head, streams, _, _ = socket.recv_fds(caller, 8, 2)
    try:
        size, text = int.from_bytes(head, "big"), b""
        while len(text) < size:
            if not (more := caller.recv(size - len(text))):
                raise ConnectionError("the caller has ended")
            text += more
        request: dict[str, Any] = json.loads(text)
    except (OSError, ValueError):
        for stream in streams:
            os.close(stream)
        raise
    caller.settimeout(None)
    return request, streams


def serve(caller: socket.socket, request: dict[str, Any], streams: list[int]) -> None:
    """Do one job in this new process, tell its caller how it ended, and end."""
    status = 1
    try:
        become(request, streams)
        caller.sendall(BEGUN)
        end_with_caller(caller)
        from harness.cli.work import work

        status = work(*request["words"])
        note_cpu(request["words"][0])
    except BaseException:
        with suppress(OSError):
            traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a log on a full disk
            stream.flush()
    caller.sendall(bytes([status]))
    os._exit(0)


def become(request: dict[str, Any], streams: list[int]) -> None:
    """Take over the caller's streams, folder and environment, and the threads that it allows."""
    for number, stream in zip((1, 2), streams, strict=True):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(Path(request["folder"]))
    os.environ.clear()
    os.environ.update(request["environment"])
    torch = sys.modules.get("torch")
    allowed = threads()
    if torch is not None and allowed is not None:
        torch.set_num_threads(allowed)


def end_with_caller(caller: socket.socket) -> None:
    """End this process as soon as its caller ends, even by SIGKILL."""

    def watch() -> None:
        with suppress(OSError):  # a caller that was killed before it had read all resets the connection
            caller.recv(1)  # the caller says nothing more: this returns when it is gone
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
