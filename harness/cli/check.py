"""`headstart check`: every mistake that can be seen without computing."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from harness.base.errors import NotHere
from harness.base.wording import counted
from harness.contracts.adaptation import Control
from harness.contracts.discover import methods, tasks
from harness.contracts.papers import papers
from harness.contracts.plan import Plan
from harness.data.task import load_task
from harness.parts.build import adaptations_of, preparation_of
from harness.plan.checkpoints import check_local
from harness.plan.entry import include_for, make_plan, recheck_data
from harness.plan.jobs import build_data
from harness.plan.judges import check_judges


def check(options: Namespace) -> int:
    """Check all folders, then the configuration, its data and its budgets; the verdict comes first."""
    from harness.paper.soundness import check_asked  # pandas and scipy, which no other command needs

    include_for(options.configfile)
    found = list(_folders())
    plan = make_plan(options.configfile)
    check_asked(plan, papers(), options.configfile)
    recheck_data(plan)
    unseen = read_data(plan)
    notes = check_local(plan, tell_unsupported=True)  # now that the tasks' own texts stand
    notes += check_judges(plan, fetch=False)
    verdict = "all that can be seen without the hub is well" if unseen else "all is well"
    print(f"{options.configfile}: {sum(1 for _ in plan.cells())} cells; {verdict}")
    notes = [*unseen, *notes]
    if options.verbose or plan.config["precision"] != "float32":
        notes.append(_speed())
    for line in [*notes, *(found if options.verbose else ())]:
        print(line)
    return 0


def _speed() -> str:
    """Which multiplication this machine does faster."""
    from harness.backbone.precision import bfloat16_speed  # torch, which nothing else here needs

    return f"this machine multiplies in bfloat16 {bfloat16_speed():.2g} times as fast as in float32"


def _folders() -> Iterator[str]:
    """Load every method, task and paper: a line each; raises UserError at the first mistake."""
    from harness.paper.soundness import check_paper  # pandas and scipy, which no other command needs

    for method in methods().values():
        parts = adaptations_of(method)
        preparation_of(method)
        what = (
            "control"
            if isinstance(parts[0], Control)
            else f"{method.spec.preparation[0]} then {' + '.join(method.spec.adapt)}"
        )
        yield f"method {method.id}: {what}"
    for task in tasks().values():
        load_task(task)
        yield f"task {task.id}: {task.spec.kind}, sources {', '.join(task.spec.sources)}"
    for name, paper in papers().items():
        check_paper(name, paper, methods(), tasks())
        yield f"paper {name}: {counted(len(paper.tables), 'table')}, {counted(len(paper.claims), 'claim')}"


def read_data(plan: Plan) -> list[str]:
    """Read every domain of a plan, which refuses bad files, budgets and overlaps; returns what the hub keeps from us.

    A run must reach the hub, but a configuration can be written where it is out of reach.
    """
    unseen = []
    for job in plan.data:
        try:
            build_data(plan, job)
        except NotHere as error:
            if job.source != "hub":
                raise
            unseen.append(f"not looked at: the data of {job.task}, since {error}")
    return unseen
