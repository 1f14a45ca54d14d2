"""A plan in the order that its file has."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from harness.contracts.plan import Plan


def ordered(plan: Plan) -> Plan:
    """The plan with its mappings in the order that its file has, so that a job does the same whoever read it.

    A preparation reads its domains in the order of their roles, and a corpus is read task by task.
    """
    jobs = {
        name: [_ordered_job(job) for job in getattr(plan, name)]
        for name in ("data", "backbones", "prepares", "blocks", "tunes")
    }
    tasks = {name: _ordered_job(task) for name, task in sorted(plan.tasks.items())}
    return replace(_ordered_job(plan), tasks=tasks, **jobs)


def _ordered_job(job: Any) -> Any:
    """A job with its own mappings in order."""
    its = {each.name: getattr(job, each.name) for each in fields(job)}
    return replace(job, **{name: _ordered(value) for name, value in its.items() if isinstance(value, dict)})


def _ordered(value: Any) -> Any:
    """Mappings in the order of their keys, all the way down."""
    if isinstance(value, dict):
        return {name: _ordered(its) for name, its in sorted(value.items())}
    return [_ordered(its) for its in value] if isinstance(value, list) else value
