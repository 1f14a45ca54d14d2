"""How Snakemake starts the jobs of a run."""

from __future__ import annotations

from typing import Any


def start_as_they_come(workflow: Any) -> None:
    """Let jobs start as soon as there is room, not so many a second.

    Under such a limit the scheduler wakes again a second after each time that it woke, once more for every job that has
    ended (seen in Snakemake 9.27), until nothing is left to start: after five hundred jobs some 160 times a second,
    which takes a third of a core. A job here takes seconds, so the limit would stop nothing.
    """
    workflow.scheduler.job_rate_limiter = None
