"""One checkpoint of a preparation: for the cells of a run, or for a trial of its rates. No torch before it is made."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.base.files import whole_folder, write_json
from harness.base.measure import measured
from harness.base.provenance import provenance
from harness.contracts.discover import tasks
from harness.contracts.model import validate
from harness.contracts.plan import Plan, Prepared, PrepareJob
from harness.data.overlap import dropped
from harness.data.task import load_task
from harness.parts.build import adaptations_of
from harness.parts.offered import preparations
from harness.parts.variants import method_of


def make_prepared(plan: Plan, job: PrepareJob, part: Prepared) -> None:
    """Prepare as the job's options say and fill the part's folder; one that was stopped goes on."""
    from harness.prepare.workshop import Workshop  # torch

    preparation = validate(preparations()[job.name], job.options, "plan.json", f"prepare.{job.name}")
    data, task = plan.data_of(job.task), plan.tasks[job.task]
    adaptations: Any = adaptations_of(method_of(job.method, job.adapt)) if job.method else ()
    readable = preparation.reads(data.roles, part.target)
    its = load_task(tasks()[task.base])
    its.label_by(task.labelling)
    with whole_folder(Path(part.folder)) as beside:
        workshop = Workshop(
            task=its,
            backbone=Path(plan.backbone(job.backbone).checkpoint),
            folders={domain: Path(folder) for domain, folder in data.folders.items()},
            roles=data.roles,
            readable=readable,
            target=part.target,
            seed=part.seed,
            max_length=task.max_length,
            target_length=task.target_length,
            saved_to=beside,
            resumed_from=Path(f"{part.folder}.resume"),
            adaptations=adaptations,
            match_parameters=job.match_parameters,
            name=job.name,
        )
        with measured() as cost:
            preparation.prepare(workshop)
        note = {"cost": asdict(cost) | workshop.cost, "provenance": provenance()}
        what = {"preparation": job.name, "options": job.options, "seed": part.seed, "drawn": sorted(workshop.drawn)}
        note["dropped"] = dropped(data.folders[domain] for domain in readable)
        write_json(beside / "prepared.json", note | what)
    workshop.resume().forget()
