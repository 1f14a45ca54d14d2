"""Which of the jobs that are ready is begun: all that a first seed needs comes before all that only the others need.

So every row of every table has a score after about the first seed's share of the time, and beside a run at work
`headstart tables` shows them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.contracts.plan import Plan
from harness.plan.marks import Mark

# Within a turn what others wait for comes first: jobs that are long and in a row are then not left for the end.
ADAPT, PREPARE, BACKBONE = 0, 1, 2
FIRST = BACKBONE + 1  # more for what a first seed needs


class Priority:
    """The priority of each job; the higher is begun first."""

    def __init__(self, plan: Plan) -> None:
        self._priorities = priorities(plan)

    def of(self, mark: Mark) -> Callable[[Any], int]:
        """That of a rule's job by its wildcards, of which `mark` makes the job's mark."""
        return lambda wildcards: self._priorities[mark(wildcards)]


def priorities(plan: Plan) -> dict[str, int]:
    """The priority of each job that trains or predicts, by its mark."""
    waits = plan.waits
    first = {job.done for job in plan.adapts if min(plan.seeds) in job.seeds}
    early, found = set(first), list(first)
    while found:
        new = set(waits.get(found.pop(), ())) - early
        early |= new
        found += new
    own = {job.done: BACKBONE for job in plan.backbones}
    own |= {job.done: PREPARE for job in plan.prepares} | {job.done: PREPARE for job in plan.tunes}
    own |= {job.done: ADAPT for job in plan.adapts}
    return {mark: priority + FIRST * (mark in early) for mark, priority in own.items()}
