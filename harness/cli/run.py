"""`headstart run` and `headstart retry`."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Collection, Sequence
from pathlib import Path

from harness.adapt.failure import forget_failure, read_failure
from harness.adapt.record import FAILURES, SCORES, forget, read_record
from harness.base.errors import UserError
from harness.base.files import read_json
from harness.base.progress import say
from harness.cli.asked import plan_asked
from harness.cli.asked_table import plan_table, table_of
from harness.contracts.plan import Plan, TuneJob
from harness.plan.entry import make_plan, recheck, release_locks, take_lock
from harness.plan.jobs import build_backbone, build_data, run_preparation, tune
from harness.record.collect import records_file
from harness.tune.kept import forget_failed_trials


def run(options: Namespace) -> int:
    """Run the cells asked for, making what they need, and print their scores, and a paper's table where asked."""
    plan = plan_table(options) if options.paper or options.table else plan_asked(options)
    take_lock(plan)
    recheck(plan)
    make_inputs(plan)
    from harness.adapt.block import make_bench, run_and_record
    from harness.score.score import score_cell

    failed = 0
    for block in plan.blocks:
        bench = make_bench(plan, block)
        for cell in block.cells:
            record = read_record(Path(cell.folder), cell.fingerprint)
            if record is None:
                run_and_record(plan, bench, block, cell)
            status = score_cell(cell, plan.tasks[cell.task])
            if status != "done":
                failed += 1
                print(f"{cell.name}: {status}")
                continue
            found = read_json(Path(cell.folder) / SCORES)
            scores = ", ".join(
                f"{metric} " + (f"{value:.2f}" if value is not None else f"– ({found['undefined'][metric]})")
                for metric, value in found["scores"].items()
            )
            print(f"{cell.name}: {scores} (n = {found['n']})")
    if options.paper:
        print(table_of(plan, options.paper, options.table))
    return 1 if failed else 0


def make_data(plan: Plan) -> None:
    """The data of a plan, where they do not stand."""
    for data in plan.data:
        if not Path(data.done).is_file():
            build_data(plan, data)


def make_inputs(plan: Plan) -> None:
    """Data, backbones, prepared checkpoints and searched rates of a plan, where they do not stand."""
    needed = {block.task for block in plan.blocks}
    make_data(plan)
    used = {block.backbone for block in plan.blocks if any(cell.checkpoint for cell in block.cells)}  # by no control
    used |= {plan.tasks[job.task].backbone for job in plan.tunes}
    for backbone in plan.backbones:
        if backbone.name in used and not Path(backbone.done).is_file():
            say(f"backbone {backbone.name}: making it first")
            build_backbone(plan, backbone)
    prepared = {job.done for job in plan.prepares}
    later = [search for search in plan.tunes if prepared & set(search.needs)]
    make_searches(plan, [search for search in plan.tunes if search not in later])
    for job in plan.prepares:
        if job.task in needed and not Path(job.done).is_file():
            run_preparation(plan, job)
    make_searches(plan, later)


def make_searches(plan: Plan, searches: Sequence[TuneJob]) -> None:
    """The searches that have not ended, in their order: the rate that follows a preparation comes before its own."""
    for search in searches:
        if not Path(search.done).is_file():
            tune(plan, search)


def retry(options: Namespace) -> int:
    """Forget failed cells, and what failed before them, so that they are computed again, and run Snakemake."""
    wanted = options.status or list(FAILURES)
    unknown = sorted(set(wanted) - set(FAILURES))
    if unknown:
        raise UserError(f"--status is {unknown[0]!r}; use one of {', '.join(FAILURES)}")
    plan = make_plan(options.configfile)
    take_lock(plan)
    count, before = forget_cells(plan, wanted), forget_inputs(plan, wanted)
    print(f"{count} cells will run again" + (f", and {before} checkpoints that failed before them" if before else ""))
    if not count + before:
        return 0
    release_locks()
    sys.stdout.flush()  # Snakemake writes to the same place
    command = [sys.executable, "-m", "snakemake", "--cores", options.cores, "--configfile", options.configfile]
    if options.include:
        command += ["--config", f"include={json.dumps(plan.config['include'])}"]
    return subprocess.call(command)


def forget_cells(plan: Plan, wanted: Collection[str]) -> int:
    """Forget the cells that ended with a status `wanted`, and every mark that was made of them; how many."""
    lost: set[Path] = set()  # a control that reads no backbone has one cell on all of a task's
    for job in plan.adapts:
        failed = set()
        for cell in plan.cells_of(job):
            record = read_record(Path(cell.folder), cell.fingerprint)
            if record and record["status"] in wanted:
                failed.add(Path(cell.folder))
        if failed:
            # Snakemake makes a missing file again only where all that is made of it is missing too. The last comes
            # first, so that a kill in between leaves nothing that would pass for whole.
            for mark in (f"{plan.output}/outcome.json", str(records_file(plan)), plan.scored(job.task), job.done):
                Path(mark).unlink(missing_ok=True)
        lost |= failed
    for folder in lost:
        forget(folder)
    return len(lost)


def forget_inputs(plan: Plan, wanted: Collection[str]) -> int:
    """Forget backbones, preparations and searches that failed with a status `wanted`, and their marks; how many."""
    count = 0
    jobs = [(job.done, [job.folder]) for job in plan.backbones]
    jobs += [(job.done, [part.folder for part in job.parts]) for job in plan.prepares]
    jobs += [(job.done, [job.folder]) for job in plan.tunes]
    for done, folders in jobs:
        for folder in map(Path, folders):
            failure = read_failure(folder)
            if failure and failure.status in wanted:
                Path(done).unlink(missing_ok=True)
                forget_failure(folder)
                count += 1
    for job in plan.tunes:
        if not Path(job.done).is_file():
            forget_failed_trials(job)
    return count
