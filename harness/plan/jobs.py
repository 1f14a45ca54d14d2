"""What each rule of the DAG runs. Every function leaves its job's mark, or raises."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.adapt.failure import failures_left, leave_failure, read_failure
from harness.adapt.gpu_turns import with_room
from harness.adapt.limits import limits
from harness.adapt.preparing import make_prepared
from harness.adapt.rates import search_failed, searched
from harness.backbone.identity import identity_of
from harness.base.errors import UserError, bad, reason
from harness.base.files import read_lines, whole_folder, write_json
from harness.base.measure import measured
from harness.base.progress import about_left, say
from harness.base.provenance import provenance
from harness.contracts.adapt_job import AdaptJob
from harness.contracts.config import Pretrained
from harness.contracts.discover import tasks
from harness.contracts.plan import BackboneJob, DataJob, Plan, Prepared, PrepareJob, TuneJob
from harness.contracts.preparation import at_rates
from harness.data.build import build_domains, check_job, standing, task_of
from harness.data.overlap import dropped
from harness.data.task import load_task
from harness.data.texts import read_texts
from harness.plan.backbones import texts_print
from harness.plan.checkpoints import check_backbone


def build_data(plan: Plan, job: DataJob) -> None:
    """Write a task's domains; refuse budgets that are too large and overlap between roles."""
    found = tasks()[job.task]
    build_domains(found, job)
    check_job(task_of(found, job), job, standing(job.folders))
    lost = dropped(job.folders.values())
    write_json(Path(job.done), {"domains": job.folders, "dropped": lost})
    say(f"data {job.task}: {len(job.folders)} domains from source {job.source}")
    for domain, counts in lost.items():
        told = " and ".join(f"{count} of {split}" for split, count in counts.items())
        say(f"data {domain}: left out {told}, since other domains are tested on them")


def build_backbone(plan: Plan, job: BackboneJob) -> None:
    """Pretrain a backbone, fetch it, or see that the local one can be read; a failure is left for its cells.

    Raises UserError where text that it reads is no longer what was planned.
    """
    source, what, folder = job.spec["source"], f"backbone {job.name}", Path(job.folder)
    for read, held in job.texts.items():
        if texts_print(Path(read)) != held:
            raise UserError(f"{read}: the text of this folder changed while the run was at work; start the run again")
    with measured() as cost:
        if read_failure(folder) is None:
            with failures_left(folder, what), limits(None, plan.memory_gib):
                if source == "pretrain":
                    with_room(plan.output, what, partial(_pretrain, job))
                elif source == "hub":
                    _fetch(plan, job)
                if source != "pretrain":
                    for line in check_backbone(plan, job):
                        say(line)
    failed = read_failure(folder)
    lost = dropped(folder for folders in job.corpora.values() for folder in folders)
    note = {"name": job.name, "spec": job.spec, "dropped": lost, "cost": asdict(cost), "provenance": provenance()}
    model = None if failed else identity_of(job.spec, Path(job.checkpoint))
    write_json(Path(job.done), note | {"failed": failed is not None, "model": model})
    say(f"{what}: {failed.status if failed else 'ready'} after {cost.seconds:.0f} s")


def _pretrain(job: BackboneJob) -> None:
    from harness.learn.resume import Resume
    from harness.prepare.pretraining import pretrain

    texts = []
    for name, folders in job.corpora.items():
        task = load_task(tasks()[name])
        for folder in folders:
            texts += [task.text(example) for example in read_lines(Path(folder) / "unlabeled.jsonl")]
    spec = Pretrained(**job.spec)
    texts += [text for folder in spec.texts for file in read_texts(Path(folder)).values() for text in file]
    resume = Resume(Path(f"{job.folder}.resume"))
    with whole_folder(Path(job.folder)) as beside:
        pretrain(spec, texts, beside, f"backbone {job.name}", resume)
    resume.forget()


def _fetch(plan: Plan, job: BackboneJob) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name, revision = job.spec["id"], job.spec["revision"]
    try:
        with whole_folder(Path(job.folder)) as beside:
            snapshot_download(name, revision=revision, local_dir=beside)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        mend = f"it cannot be fetched ({reason(error)}); use a checkpoint with source local"
        raise bad(str(plan.path), f"backbones.{job.name}.id", name, mend) from None


def run_preparation(plan: Plan, job: PrepareJob) -> None:
    """Make every checkpoint of a preparation that does not stand yet; a failure is left for the cells that need it."""
    begin, failed = time.perf_counter(), 0
    below = read_failure(Path(plan.backbone(job.backbone).folder)) or search_failed(job.rates_from)
    if not below:
        job = replace(job, options=at_rates(job.options, searched(job.rates_from, "prepare")))
    for number, part in enumerate(job.parts, 1):
        folder, what = Path(part.folder), f"{job.name} {job.task} {part.target or 'all domains'} seed {part.seed}"
        if not settled(part):
            if below:
                leave_failure(folder, below)
            else:
                with failures_left(folder, f"preparation {what}"), limits(None, plan.memory_gib):
                    with_room(plan.output, what, partial(make_prepared, plan, job, part))
        failure = read_failure(folder)
        failed += failure is not None
        spent = time.perf_counter() - begin
        left = about_left(spent, number, len(job.parts))
        word = failure.status if failure else "stands"
        say(f"[{number}/{len(job.parts)}] {what}: {word} ({spent:.0f} s so far, {left})")
    write_json(Path(job.done), {"checkpoints": len(job.parts), "failed": failed})


def settled(part: Prepared) -> bool:
    """Whether a prepared checkpoint stands, or failed and is not tried again before `headstart retry`."""
    return Path(part.done).is_file() or read_failure(Path(part.folder)) is not None


def tune(plan: Plan, job: TuneJob) -> None:
    """Search a method's rate, or those of a preparation."""
    from harness.tune.search import run_search

    run_search(plan, job)


def adapt(plan: Plan, job: AdaptJob) -> None:
    """Run the cells of a block in some of its seeds."""
    from harness.adapt.block import run_cells

    run_cells(plan, job)


def score(plan: Plan, task: str) -> None:
    """Score a task's finished cells."""
    from harness.score.score import score_task

    score_task(plan, task)


JOBS: dict[str, Callable[[Plan, Any], None]] = {
    "data": build_data,
    "backbone": build_backbone,
    "prepare": run_preparation,
    "tune": tune,
    "adapt": adapt,
}
