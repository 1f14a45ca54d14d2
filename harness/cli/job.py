"""One job of the DAG: `python -m harness.cli.job RULE PLAN [TARGET]`, as the Snakefile calls it.

The run's server has the imports that cost seconds and does the job in a process that it forks. One that was killed
is started again; where there is none, as on another machine of a cluster, the job is done here. So nothing heavy is
imported above.
"""

from __future__ import annotations

import json
import os
import socket
import sys

from harness.base.processes import end_with_parent
from harness.base.run_server import connected


def main() -> int:
    """Do one job and return its exit status."""
    end_with_parent()
    server = connected()
    if server is None or not begun(server):
        from harness.cli.work import work

        return work(*sys.argv[1:])
    try:
        status = server.recv(1)
    except ConnectionError:
        status = b""
    if not status:
        print("headstart: the job's process was ended from outside (for want of memory?)", file=sys.stderr)
        return 1
    return status[0]


def begun(server: socket.socket) -> bool:
    """Ask for the job; whether a process began it before the server ended, or gave up waiting for the words."""
    request = {"words": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}
    text = json.dumps(request).encode()
    try:
        socket.send_fds(server, [len(text).to_bytes(8, "big")], [1, 2])
        server.sendall(text)
        return bool(server.recv(1))
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
