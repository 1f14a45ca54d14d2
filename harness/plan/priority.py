"""Which of the jobs that are ready is begun: all that a first seed needs comes before all that only the others need.

So every row of every table has a score after about the first seed's share of the time, and beside a run at work
`headstart tables` shows them all.
"""

from __future__ import annotations

from typing import Any

from harness.contracts.plan import Plan
from harness.plan.marks import Marks

# Within a turn what others wait for comes first: jobs that are long and in a row are then not left for the end.
ADAPT, PREPARE, BACKBONE = 0, 1, 2
FIRST = BACKBONE + 1  # more for what a first seed needs


class Priority:
    """The priority of each job, by the wildcards of its rule; the higher is begun first."""

    def __init__(self, plan: Plan) -> None:
        self._marks, self._priorities = Marks(plan.output), priorities(plan)

    def backbone(self, wildcards: Any) -> int:
        """That of a backbone."""
        return self._priorities[self._marks.backbone(wildcards)]

    def prepare(self, wildcards: Any) -> int:
        """That of a preparation in a seed."""
        return self._priorities[self._marks.prepare(wildcards)]

    def tune(self, wildcards: Any) -> int:
        """That of a search."""
        return self._priorities[self._marks.tune(wildcards)]

    def adapt(self, wildcards: Any) -> int:
        """That of some seeds of a block."""
        return self._priorities[self._marks.adapt(wildcards)]


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
