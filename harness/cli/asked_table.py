"""The cells that a table of a paper needs, and the table that they make."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from harness.base.errors import UserError, bad
from harness.cli.asked import AXES
from harness.contracts.model import one_of
from harness.contracts.paper import PaperTable
from harness.contracts.papers import papers
from harness.contracts.plan import Plan
from harness.plan.entry import include_for, make_plan
from harness.plan.papers import methods_of


def plan_table(options: Namespace) -> Plan:
    """A plan of the cells that a table needs, as far as the run has its tasks, with the run's own names and files.

    Raises UserError where a name is none, or the run has no task of the table.
    """
    if options.paper is None or options.table is None:
        raise UserError("--paper and --table go together; name both")
    if named := [axis for axis in (*AXES, "backbone") if getattr(options, axis) is not None]:
        raise UserError(f"--{named[0]} does not go with --paper, whose table says it; leave it out")
    include_for(options.configfile)
    known = papers()
    one_of(options.paper, known, "headstart run", "--paper")
    one_of(options.table, known[options.paper].tables, "headstart run", "--table")
    table = known[options.paper].tables[options.table]
    whole = make_plan(options.configfile)
    wanted = methods_of(table)
    tasks = [task for task in wanted if task in whole.tasks]
    if not tasks:
        needed = ", ".join(wanted) or "no task"
        raise bad(options.configfile, "--table", options.table, f"it needs {needed}, which this run does not have")
    run = {task: whole.config["tasks"][task] | {"methods": wanted[task]} for task in tasks}
    places = {row.backbone for row in table.rows.values()}
    names = [whole.named(task, place) for task in tasks for place in sorted(places)]
    only: dict[str, list[Any]] = {"task": names, "budget": _budgets(whole, table, tasks)}
    return make_plan(options.configfile, changes={"tasks": whole.config["tasks"] | run}, only=only)


def _budgets(plan: Plan, table: PaperTable, tasks: list[str]) -> list[int]:
    """The budgets of the run that stand in the table."""
    its = {budget for task in tasks for budget in plan.tasks[task].budgets}
    if table.budgets == "all":
        return sorted(its)
    if table.budgets == "largest":
        return sorted({max(plan.tasks[task].budgets) for task in tasks})
    return sorted(its & set(table.budgets))


def table_of(plan: Plan, paper: str, name: str) -> str:
    """The table as Markdown, from the cells that are done."""
    from harness.paper.evidence import Evidence
    from harness.paper.fill import Filler
    from harness.paper.markdown import to_markdown
    from harness.record.collect import collect

    spec = papers()[paper]
    return to_markdown(Filler(Evidence(plan, collect(plan)), spec, name, spec.tables[name]).sheet())
