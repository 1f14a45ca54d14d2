"""`headstart compare-runs` and `headstart reference`: one's own run against another, and what others compare with."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from harness.base.errors import UserError


def compare_runs(options: Namespace) -> int:
    """Print what differs between two folders of results; 0 where no mean differs by more than its interval, else 1."""
    from harness.cli.run_page import run_page
    from harness.record.folder import RunFolder
    from harness.table.runs import compare_runs, run_of

    a, b = (RunFolder.read(Path(name)) for name in (options.a, options.b))
    found = compare_runs(run_of(a.records), run_of(b.records))
    if not found.differences:
        raise UserError(f"{options.a} and {options.b} have no task, budget and method in common; name two runs alike")
    print(run_page(a, b, found))
    return 1 if found.differing else 0


def reference(options: Namespace) -> int:
    """Make a folder of tables, boards, claims, the report's page and trimmed records from a run's results."""
    from harness.record.trim import make_reference

    print(make_reference(Path(options.results), Path(options.to)))
    return 0
