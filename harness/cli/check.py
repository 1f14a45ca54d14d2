"""`headstart check`: every mistake that can be seen without computing."""

from __future__ import annotations

from argparse import Namespace

from harness.contracts.adaptation import Control
from harness.contracts.discover import methods, tasks
from harness.contracts.papers import papers
from harness.contracts.plan import Plan
from harness.data.task import load_task
from harness.plan.checkpoints import check_local
from harness.plan.entry import make_plan, recheck_data
from harness.plan.jobs import build_data


def check(options: Namespace) -> int:
    """Check all folders, then the configuration, its data and its budgets."""
    found = methods()
    for method in found.values():
        parts = method.adaptations()
        method.preparation()
        what = (
            "control"
            if isinstance(parts[0], Control)
            else f"{method.spec.preparation[0]} then {' + '.join(method.spec.adapt)}"
        )
        print(f"method {method.id}: {what}")
    for task in tasks().values():
        load_task(task)
        print(f"task {task.id}: {task.spec.kind}, sources {', '.join(task.spec.sources)}")
    for name, paper in papers().items():
        print(f"paper {name}: {len(paper.tables)} tables, {len(paper.claims)} claims")
    plan = make_plan(options.configfile)
    recheck_data(plan)
    read_data(plan)
    for line in check_local(plan, tell_unsupported=True):  # now that the tasks' own texts stand
        print(line)
    print(f"{options.configfile}: {sum(1 for _ in plan.cells())} cells; all is well")
    return 0


def read_data(plan: Plan) -> None:
    """Read every domain of a plan, which refuses bad files, budgets and overlaps."""
    for job in plan.data:
        build_data(plan, job)
