"""The command line: every command with its options, and the function that it calls."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from harness.cli.new import KIND, kinds
from harness.contracts.budget import budget_of
from harness.contracts.config import DEFAULT
from harness.tune.space import SEEDS

BACKBONE = "of a task that the run has on several backbones, the one"
Command = Callable[[str, str, str], argparse.ArgumentParser]


def parser(about: str | None = None) -> argparse.ArgumentParser:
    """The command line; `does` names every command's function, which is imported where the command is given."""
    top = argparse.ArgumentParser(prog="headstart", description=about)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(does=does)
        return added

    _of_folders(command)
    _of_runs(command)
    _of_results(command)
    return top


def _of_folders(command: Command) -> None:
    """Commands about methods, tasks, papers and backbones."""
    listing = command("list", "listing.show_list", "list methods, tasks or papers")
    listing.add_argument("what", choices=["methods", "tasks", "papers"])
    listing.add_argument("--json", action="store_true", help="for programs")
    _include(listing)

    checking = command("check", "check.check", "check every folder and a configuration; compute nothing")
    _config(checking)
    checking.add_argument("--verbose", action="store_true", help="after the verdict, a line for each folder")

    making = command("new", "new.new", "write a folder that passes `check` and runs as it is")
    making.add_argument("what", choices=["method", "task", "paper"])
    making.add_argument("name", help="the folder's name: small letters, digits and _, in a paper's also -")
    making.add_argument("--kind", help=f"the kind of a task: {', '.join(kinds())} ({KIND} where absent)")
    text = "write below another folder's methods/, tasks/ or papers/, which `--include FOLDER` then looks into"
    making.add_argument("--to", metavar="FOLDER", help=text)

    training = command("pretrain", "pretrain.pretrain", "train a pinned backbone by its recipe under backbones/")
    training.add_argument("name", help="the folder's name")


def _of_runs(command: Command) -> None:
    """Commands that plan and compute."""
    _config(command("plan", "make.show_plan", "show jobs, cells and estimated minutes"))

    running = command("run", "run.run", "run one cell, or a few, or what a paper's table needs, in front of you")
    _config(running)
    _cells(running, required=False)
    running.add_argument("--paper", help="a folder under papers/: run what one of its tables needs")
    running.add_argument("--table", help="that table")

    _config(command("status", "look.show_status", "count done, failed and missing cells"))

    again = command("retry", "run.retry", "forget what failed and run again")
    _config(again)
    again.add_argument("--status", nargs="+", metavar="STATUS", help="only cells that ended so (error, timeout, ...)")
    again.add_argument("--cores", default="all", help="cores for Snakemake")

    tuning = command("tune", "tune.tune", "search rates and store them with the methods, or show what was tried")
    _config(tuning)
    tuning.add_argument("--task", nargs="+")
    tuning.add_argument("--backbone", help=f"{BACKBONE}; all of them where absent")
    tuning.add_argument("--method", nargs="+")
    ends = "what trials train on; the score is the mean over them (default: the task's smallest and largest)"
    tuning.add_argument("--budget", type=budget_of, nargs="+", help=ends)
    tuning.add_argument("--seeds", type=int, default=len(SEEDS))
    tuning.add_argument("--show", action="store_true", help="print the trials of the run's searches; compute nothing")


def _of_results(command: Command) -> None:
    """Commands that read what a run has made."""
    comparing = command(
        "compare", "compare.compare", "one method against every other: paired differences, tests, costs"
    )
    _config(comparing)
    comparing.add_argument("--task", required=True)
    comparing.add_argument("--backbone", help=BACKBONE)
    comparing.add_argument("--method", required=True)

    both = command(
        "compare-runs",
        "compare_runs.compare_runs",
        "what differs between two folders of results; ends with 0 where no mean differs beyond its interval, else 1",
    )
    both.add_argument("a", metavar="A", help="a folder with records.parquet, as results/reference")
    both.add_argument("b", metavar="B", help="another, as results")

    keeping = command(
        "reference", "compare_runs.reference", "make the small folder that others compare their runs with"
    )
    keeping.add_argument("results", help="the folder of a run that has ended")
    keeping.add_argument("--to", required=True, help="the folder to make")

    text = "make tables, boards, claims and the report of what stands of a run, beside it, in its folder `so-far`"
    so_far = command("tables", "tables.make_tables", text)
    _config(so_far)
    so_far.add_argument(
        "--seed", type=int, nargs="+", help="of these alone; else of all, or of one while most lack others"
    )

    _config(command("open", "look.open_report", "show the report of a run in a browser"))

    claiming = command("claim", "claims.claim", "answer one claim of a paper, with the cells that were used")
    _config(claiming)
    claiming.add_argument("claim", metavar="PAPER/NAME")

    seeing = command("power", "claims.power", "what a configuration could see of the claims, from a pilot's variances")
    _config(seeing)
    seeing.add_argument(
        "--pilot", metavar="CONFIGFILE", help="a configuration that has been run (the same where absent)"
    )

    reading = command("predictions", "look.show_predictions", "show input, gold and predicted of a few examples")
    _config(reading)
    _cells(reading)
    reading.add_argument("--count", type=int, default=3, help="examples to show")


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--configfile", default=DEFAULT, help=f"the run's configuration (default {DEFAULT})")
    _include(parser)


def _include(parser: argparse.ArgumentParser) -> None:
    text = "look into another folder's methods/, tasks/ and papers/ too, as `include` in a configuration does"
    parser.add_argument("--include", action="append", default=[], metavar="FOLDER", help=text)


def _cells(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument("--task", required=required)
    parser.add_argument("--backbone", help=BACKBONE)
    parser.add_argument("--method", required=required)
    parser.add_argument("--domain")
    parser.add_argument("--budget", type=budget_of, help="a number of examples, or all")
    parser.add_argument("--seed", type=int)
