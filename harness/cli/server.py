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
from pathlib import Path
from typing import Any

from harness.base.errors import reason
from harness.base.processes import end_with_parent
from harness.base.progress import say
from harness.base.threads import threads

# What each rule's job would import. Importing starts no thread, which a fork would lose.
ARCHITECTURES = tuple(f"transformers.models.{name}.modeling_{name}" for name in ("bert", "gpt2", "bart", "roberta"))
TRAINING = ("harness.prepare.pretraining", "harness.prepare.workshop", "harness.adapt.cell", *ARCHITECTURES)
REPORTING = ("harness.cli.report",)
IMPORTS = {
    "backbone": TRAINING,
    "prepare": TRAINING,
    "adapt": TRAINING,
    "score": ("harness.score.score",),
    "collect": REPORTING,
    "tables": REPORTING,
    "leaderboard": REPORTING,
    "figures": REPORTING,
    "outcome": REPORTING,
}
_served: list[str] = []  # the rules of the jobs that were forked


def main() -> None:
    """Serve jobs at the address given until the run ends."""
    end_with_parent(last)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for Snakemake, which then ends its jobs
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a job here: its caller hears from it
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sys.argv[1])
    except OSError as error:
        return say(f"headstart: {sys.argv[1]}: no socket ({reason(error)}); each job does its own imports, in seconds")
    listener.listen(64)
    while True:
        caller, _ = listener.accept()
        request, streams = receive(caller)
        for module in ("harness.cli.work", *IMPORTS.get(request["words"][0], ())):
            importlib.import_module(module)
        _served.append(request["words"][0])
        gc.freeze()  # what stands is never looked at again, so its memory stays shared
        if os.fork() == 0:
            listener.close()
            serve(caller, request, streams)
        caller.close()
        for stream in streams:
            os.close(stream)


def last() -> None:
    """Done when the run has ended; a run that had nothing to do leaves no note."""
    if _served:
        note_cpu("server")
    Path(sys.argv[1]).unlink(missing_ok=True)


def note_cpu(what: str) -> None:
    """Add a line to the run's logs/cpu.csv: what this process did, and its CPU seconds."""
    file = Path(sys.argv[1]).parent / "logs" / "cpu.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a") as lines:  # one short write, which other jobs cannot come in between
        lines.write(f"{what},{time.process_time():.3f}\n")


def receive(caller: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A job's words, environment and folder, and its standard output and error."""
    head, streams, _, _ = socket.recv_fds(caller, 8, 2)
    size, text = int.from_bytes(head, "big"), b""
    while len(text) < size:
        text += caller.recv(size - len(text))
    request: dict[str, Any] = json.loads(text)
    return request, streams


def serve(caller: socket.socket, request: dict[str, Any], streams: list[int]) -> None:
    """Do one job in this new process, tell its caller how it ended, and end."""
    status = 1
    try:
        become(request, streams)
        end_with(caller)
        from harness.cli.work import work

        status = work(*request["words"])
        note_cpu(request["words"][0])
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
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


def end_with(caller: socket.socket) -> None:
    """End this process as soon as its caller ends, even by SIGKILL."""

    def watch() -> None:
        caller.recv(1)  # the caller says nothing more: this returns when it is gone
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
