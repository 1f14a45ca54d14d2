"""`headstart`: what is typed becomes one call; a user's mistake becomes one sentence."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper

from harness.base.disk import refused_by_system
from harness.base.errors import UserError
from harness.base.paths import settle_home
from harness.base.threads import THREADS, threads
from harness.cli.commands import parser
from harness.contracts.folders import ask_for

ABOUT = "Measure how language models are prepared for, and adapted to, few examples."


def _function(name: str) -> Callable[[argparse.Namespace], int | None]:
    """A command's function by its module and name. Each imports what it needs: one that only lists takes no pandas."""
    module, function = name.split(".")
    found: Callable[[argparse.Namespace], int | None] = getattr(
        importlib.import_module(f"harness.cli.{module}"), function
    )
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is one sentence and exit code 2."""
    # As many threads as a job of the DAG has, so that a cell computed here has the same digits.
    if threads() is None:
        os.environ[THREADS] = "1"
    settle_home()
    _show_every_letter()
    try:
        options = parser(ABOUT).parse_args(words)
        ask_for(getattr(options, "include", []))
        status = int(_function(options.does)(options) or 0)
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"headstart: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("headstart: stopped; what was finished is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has seen enough, as `| head` has. What is still in the buffer must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as if ended by SIGPIPE
    except OSError as error:
        if (told := refused_by_system(error)) is None:
            raise
        print(f"headstart: {told}", file=sys.stderr)
        return 2


def _show_every_letter() -> None:
    """Let a letter that the terminal's encoding lacks appear as `?` rather than end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
