"""The cells that a command's --task, --backbone, --method, --domain, --budget and --seed name, planned or not."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from harness.base.errors import NotHere, UserError, bad
from harness.base.progress import say
from harness.base.yaml_file import read_value
from harness.contracts.discover import methods
from harness.contracts.model import one_of
from harness.contracts.plan import Cell, Plan
from harness.contracts.row import is_variant, row_name
from harness.parts.variants import variants_of
from harness.plan.entry import last_plan, make_plan

AXES = ("task", "method", "domain", "budget", "seed")


def plan_to_look_at(configfile: str) -> Plan:
    """A configuration's plan, for commands that only look; the last run's own where its data are elsewhere now."""
    try:
        return make_plan(configfile)
    except NotHere as error:
        return _as_last_planned(configfile, error)


def cells_to_look_at(options: Namespace) -> list[Cell]:
    """The cells asked for; those of the last run where the data are elsewhere now."""
    try:
        return list(plan_asked(options).cells())
    except NotHere as error:
        saved = _as_last_planned(options.configfile, error)
    asked = {axis: value for axis in AXES if (value := getattr(options, axis)) is not None}
    asked["task"] = task_asked(options, saved)
    return [cell for cell in saved.cells() if all(getattr(cell, axis) == value for axis, value in asked.items())]


def _as_last_planned(configfile: str, error: NotHere) -> Plan:
    """The plan that the last run saved, saying why; raises `error` where there is none of this configuration."""
    saved = last_plan(configfile)
    if saved is None:
        raise error
    say(f"headstart: as the last run planned it, since now {error}")
    return saved


def plan_asked(options: Namespace) -> Plan:
    """A plan of the cells asked for and of what they need, with the run's own names and files.

    Any method, variant, budget and seed can be asked for that the task and its data allow, whether the run plans them
    or not.
    Raises UserError where a name is none, or no cell is all that was asked for.
    """
    for axis in ("task", "method"):
        if getattr(options, axis) is None:
            raise UserError(f"--{axis} is missing; name one, or a paper's table with --paper and --table")
    whole = make_plan(options.configfile)
    its = whole.tasks[name := task_asked(options, whole)]
    base, known, variants = row_name(options.method).method, methods(), _variant(options.method)
    one_of(base, list(known), options.configfile, "--method")
    variants_of(variants, known, f"--method {options.method}")  # here, where a mistake was not the configuration's
    if options.domain is not None:
        one_of(options.domain, its.domains, options.configfile, "--domain")
    only = {axis: [value] for axis in AXES if (value := getattr(options, axis)) is not None} | {"task": [its.base]}
    run: dict[str, Any] = {"methods": [base], "variants": variants}
    if options.budget is not None:
        run["budgets"] = [options.budget]
    changes = on_one_backbone(whole, name, run) | {"variants": {}}
    if options.seed is not None:
        changes["seeds"] = [options.seed]
    plan = make_plan(options.configfile, changes=changes, only=only)
    if not plan.blocks:
        mend = f"it is not for {its.kind}; see `headstart list methods`"
        raise bad(options.configfile, "--method", options.method, mend)
    return plan


def _variant(name: str) -> dict[str, dict[str, list[Any]]]:
    """The variant `METHOD@OPTION=VALUE`, as a configuration says it; none for the method itself."""
    its = row_name(name)
    return {its.method: {its.option: [read_value(its.value, "--method")]}} if is_variant(name) else {}


def task_asked(options: Namespace, whole: Plan) -> str:
    """The task asked for by its name on the backbone asked for; raises UserError where it has several and none is."""
    one_of(options.task, list(whole.tasks), options.configfile, "--task")
    names = {whole.tasks[name].backbone: name for name in whole.on(options.task)}
    if options.backbone is not None:
        one_of(options.backbone, names, options.configfile, "--backbone")
        return names[options.backbone]
    if len(names) > 1:
        raise UserError(f"--backbone is missing; the run has {options.task} on {' and '.join(names)}, name one of them")
    return str(options.task)


def on_one_backbone(whole: Plan, name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The tasks of a configuration with changes of one, which is then on one backbone alone, by its own name."""
    its, tasks = whole.tasks[name], whole.config["tasks"]
    run = {key: value for key, value in tasks[its.base].items() if key != "backbones"}
    return {"tasks": tasks | {its.base: run | {"backbone": its.backbone} | changes}}
