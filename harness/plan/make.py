"""Resolve a configuration into a plan, refusing every mistake before any compute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.base.memory import nothing_collected
from harness.contracts.config import Settings, TaskRun
from harness.contracts.discover import Method
from harness.contracts.model import one_of
from harness.contracts.plan import Block, Plan
from harness.contracts.plan_order import ordered
from harness.contracts.task_plan import TaskPlan
from harness.parts.variants import variants_of
from harness.plan.adapt_settings import adapted
from harness.plan.adapts import adapt_jobs
from harness.plan.backbones import BackbonePlanner
from harness.plan.blocks import BlockPlanner
from harness.plan.data import DataPlanner, looked_at
from harness.plan.papers import planned_papers
from harness.plan.request import Ground, Request
from harness.plan.settings import check_settings
from harness.plan.setups import takes_part
from harness.plan.several import check_different, told_apart
from harness.plan.tasks import TaskPlanner
from harness.score.version import scoring_code


@nothing_collected()
def plan_run(request: Request) -> Plan:
    """Every job of the run; raises UserError at the first mistake."""
    config = request.config
    check_names(request)
    request = with_variants(request)
    of_data = DataPlanner(request)
    data = {task: of_data.plan(task, run) for task, run in config.tasks.items()}
    of_backbones = BackbonePlanner(request, data, of_data.prints)
    backbones = {name: of_backbones.plan(name) for name in config.backbones}
    of_tasks = TaskPlanner(request, data)
    ground = Ground(request, data, of_data.prints, backbones)
    of_blocks = BlockPlanner(ground)
    tasks: dict[str, TaskPlan] = {}
    blocks: list[Block] = []
    for task, run in config.tasks.items():
        found = of_tasks.plan(task, run)
        check_different(request, task, run, backbones)
        tasks |= found
        names, variants = _chosen(request, task, run), request.variants.get(task, {})
        # A method comes before its variants, which take the rates that are searched for it.
        rows = [its for name in names for its in (name, *(one.id for one in variants.get(name, ())))]
        chosen = [request.methods[name] for name in request.kept("method", rows)]
        for plan in (found[name] for name in request.kept("task", list(found))):
            blocks += _blocks_of([method for method in chosen if takes_part(method, plan)], task, plan, run, of_blocks)
    used = {block.backbone for block in blocks}
    prepares = list(of_blocks.prepares.jobs.values())
    whole = Plan(
        output=str(request.output),
        seeds=list(config.seeds),
        allow_failures=config.allow_failures,
        cell_minutes=config.cell_minutes,
        memory_gib=config.memory_gib,
        tasks=tasks,
        methods={name: _summary(request, name) for name in sorted({block.method for block in blocks})},
        data=[looked_at(job, blocks) for job in data.values()],
        backbones=[job for name, job in backbones.items() if name in used],
        prepares=prepares,
        blocks=blocks,
        adapts=adapt_jobs(ground, prepares, blocks),
        scoring=scoring_code(),
        tunes=list(of_blocks.tunes.jobs.values()),
        config=config.model_dump(),
        papers=planned_papers(request.papers),
    )
    return ordered(told_apart(whole))


def _blocks_of(
    fitting: list[Method], task: str, plan: TaskPlan, run: TaskRun, of_blocks: BlockPlanner
) -> Iterator[Block]:
    """The blocks of methods on a task and one of its backbones, in their order."""
    # Unprepared methods first: the search of such a one serves the preparations before the same adaptation.
    unprepared_first = sorted(fitting, key=lambda method: method.spec.preparation[0] != "none")
    planned = {
        method.id: of_blocks.plan(adapted(of_blocks.request, method, task, run), task, plan, run)
        for method in unprepared_first
    }
    return (planned[method.id] for method in fitting)


def with_variants(request: Request) -> Request:
    """The request with the methods that its variants are, on each task those that it has."""
    runs = request.config.tasks
    if not any(said.variants for said in (request.config, *runs.values())):
        return request  # nothing to look methods up for
    chosen = {task: set(_chosen(request, task, run)) for task, run in runs.items()}
    of_run = _variants(request, request.config, set().union(*chosen.values()), "variants")
    found = {
        task: of_run | _variants(request, run, chosen[task], f"tasks.{task}.variants") for task, run in runs.items()
    }
    its = {method.id: method for of_task in found.values() for methods in of_task.values() for method in methods}
    return replace(request, methods=request.methods | its, variants=found)


def _variants(request: Request, said: Settings, chosen: set[str], field: str) -> dict[str, list[Method]]:
    """The variants that a field asks for, by their method; raises UserError where the method is not chosen there."""
    found = variants_of(said.variants, request.methods, request.where, field)
    for name in found:
        one_of(name, sorted(chosen), request.where, field)
    return found


def _chosen(request: Request, task: str, run: TaskRun) -> list[str]:
    """The methods of a task."""
    field = f"tasks.{task}.methods" if run.methods else "methods"
    return request.chosen_methods(run.methods or request.config.methods, field, task)


def check_names(request: Request) -> None:
    """Refuse tasks, methods and preparations that do not exist, in the configuration or in what was tuned."""
    for task in request.config.tasks:
        one_of(task, list(request.tasks), request.where, "tasks")
    check_settings(request)
    for method in request.methods.values():
        for task in method.tuned:
            one_of(task, list(request.tasks), method.folder / "tuned.yaml", "a task")


def _summary(request: Request, name: str) -> dict[str, Any]:
    spec = request.methods[name].spec
    about = {"label": spec.label, "control": spec.control, "paper": spec.paper, "kinds": spec.kinds}
    return about | {"adapt": list(spec.adapt)}
