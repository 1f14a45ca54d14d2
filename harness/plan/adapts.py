"""Plans the jobs of blocks: the first seed alone, then the others, so that every row of a table has a score early.

They are two and not one a seed: each costs a start, and more would only order what comes after the first look.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.base.fingerprint import fingerprint
from harness.contracts.adapt_job import AdaptJob
from harness.contracts.plan import SHORT, Block, PrepareJob
from harness.plan.request import Ground


def adapt_jobs(ground: Ground, prepares: Iterable[PrepareJob], blocks: Iterable[Block]) -> list[AdaptJob]:
    """The jobs of all blocks, in their order."""
    prepared = {part.folder: job.done for job in prepares for part in job.parts}
    jobs = []
    for block in blocks:
        base = ground.backbones[block.backbone]
        made_by, parent = prepared | {base.checkpoint: base.done}, ground.request.output / "blocks" / block.task
        seeds = sorted({cell.seed for cell in block.cells})
        for its in filter(None, (seeds[:1], seeds[1:])):
            cells = [cell for cell in block.cells if cell.seed in its]
            begins = {made_by[cell.checkpoint] for cell in cells if cell.checkpoint}
            rates = {cell.rates_from for cell in cells if cell.rates_from}
            key = fingerprint([[cell.fingerprint for cell in cells], ground.data[block.task].done])[:SHORT]
            done = str(parent / f"{block.method}-{key}.json")
            jobs.append(AdaptJob(block.task, block.method, block.backbone, its, sorted(begins | rates), done))
    return jobs
