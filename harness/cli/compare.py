"""`headstart compare`: one method against every other of a task."""

from __future__ import annotations

from argparse import Namespace

from harness.base.errors import UserError
from harness.cli.asked import task_asked
from harness.plan.entry import make_plan


def compare(options: Namespace) -> int:
    """Print and keep the paired differences between a method and the others, over the cells that are done."""
    plan = make_plan(options.configfile)
    task = task_asked(options, plan)
    methods = [block.method for block in plan.blocks if block.task == task]
    if options.method not in methods:
        raise UserError(f"--method is {options.method!r}; on {task} the run has {', '.join(methods)}")
    from harness.record.collect import collect
    from harness.table.comparison import write_comparison

    # Not records.parquet, which may be of an earlier plan.
    written = write_comparison(plan, collect(plan), task, options.method)
    print(written.read_text(encoding="utf-8"))
    print(f"kept as {written} and .csv")
    return 0
