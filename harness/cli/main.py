"""`headstart`: list, check, new, plan, run, status, retry, tune, pretrain, compare, open, claim, power, predictions."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from harness.base.disk import refused_by_system
from harness.base.errors import UserError
from harness.base.paths import settle_home
from harness.base.threads import THREADS, threads
from harness.cli import check, claims, compare, look, make, new, pretrain, run, tune
from harness.plan.entry import DEFAULT
from harness.tune.space import SEEDS


def parser() -> argparse.ArgumentParser:
    """The command line; every command's function is its `does`."""
    top = argparse.ArgumentParser(prog="headstart", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(does=does)
        return added

    listing = command("list", look.show_list, "list methods, tasks or papers")
    listing.add_argument("what", choices=["methods", "tasks", "papers"])
    listing.add_argument("--json", action="store_true", help="for programs")

    checking = command("check", check.check, "check every folder and a configuration; compute nothing")
    _config(checking)
    checking.add_argument("--verbose", action="store_true", help="after the verdict, a line for each folder")

    making = command("new", new.new, "write a folder that passes `check` and runs as it is")
    making.add_argument("what", choices=["method", "task", "paper"])
    making.add_argument("name", help="the folder's name: small letters, digits and _")
    making.add_argument("--kind", help=f"the kind of a task: {', '.join(new.kinds())} ({new.KIND} where absent)")

    planning = command("plan", make.show_plan, "show jobs, cells and estimated minutes")
    _config(planning)

    running = command("run", run.run, "run one cell, or a few, or what a paper's table needs, in front of you")
    _config(running)
    _cells(running, required=False)
    running.add_argument("--paper", help="a folder under papers/: run what one of its tables needs")
    running.add_argument("--table", help="that table")

    status = command("status", look.show_status, "count done, failed and missing cells")
    _config(status)

    again = command("retry", run.retry, "forget what failed and run again")
    _config(again)
    again.add_argument("--status", nargs="+", metavar="STATUS", help="only cells that ended so (error, timeout, ...)")
    again.add_argument("--cores", default="all", help="cores for Snakemake")

    tuning = command("tune", tune.tune, "search rates and store them with the methods, or show what was tried")
    _config(tuning)
    tuning.add_argument("--task", nargs="+")
    tuning.add_argument("--method", nargs="+")
    tuning.add_argument("--budget", type=int, nargs="+", default=[32], help="the score is the mean over them")
    tuning.add_argument("--seeds", type=int, default=len(SEEDS))
    tuning.add_argument("--show", action="store_true", help="print the trials of the run's searches; compute nothing")

    training = command("pretrain", pretrain.pretrain, "train a pinned backbone by its recipe under backbones/")
    training.add_argument("name", help="the folder's name")

    comparing = command("compare", compare.compare, "one method against every other: paired differences, tests, costs")
    _config(comparing)
    comparing.add_argument("--task", required=True)
    comparing.add_argument("--method", required=True)

    opening = command("open", look.open_report, "show the report of a run in a browser")
    _config(opening)

    claiming = command("claim", claims.claim, "answer one claim of a paper, with the cells that were used")
    _config(claiming)
    claiming.add_argument("claim", metavar="PAPER/NAME")

    seeing = command("power", claims.power, "what a configuration could see of the claims, from a pilot's variances")
    _config(seeing)
    seeing.add_argument(
        "--pilot", metavar="CONFIGFILE", help="a configuration that has been run (the same where absent)"
    )

    reading = command("predictions", look.show_predictions, "show input, gold and predicted of a few examples")
    _config(reading)
    _cells(reading)
    reading.add_argument("--count", type=int, default=3, help="examples to show")
    return top


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--configfile", default=DEFAULT, help=f"the run's configuration (default {DEFAULT})")


def _cells(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument("--task", required=required)
    parser.add_argument("--method", required=required)
    parser.add_argument("--domain")
    parser.add_argument("--budget", type=int)
    parser.add_argument("--seed", type=int)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is one sentence and exit code 2."""
    # As many threads as a job of the DAG has, so that a cell computed here has the same digits.
    if threads() is None:
        os.environ[THREADS] = "1"
    settle_home()
    _show_every_letter()
    try:
        options = parser().parse_args(words)
        status = int(options.does(options) or 0)
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
