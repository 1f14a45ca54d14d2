"""Plans a task's data: its domains with their roles and fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.base.errors import bad
from harness.base.fingerprint import fingerprint
from harness.base.lines import Where
from harness.contracts.config import TaskRun
from harness.contracts.method import Train
from harness.contracts.model import one_of
from harness.contracts.plan import SHORT, Block, DataJob
from harness.contracts.task import JUDGED, Role, Source
from harness.data.build import check_domain, check_roles, domain_fingerprints, domains_of
from harness.data.roles import as_told, drawn, limited
from harness.data.task import load_task
from harness.plan.request import Request


class DataPlanner:
    """Makes the data jobs. `prints` are the fingerprints of the domains planned so far, by task."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.prints: dict[str, dict[str, str]] = {}

    def plan(self, task: str, run: TaskRun) -> DataJob:
        """The job of one task; raises UserError where a domain is none or has two roles."""
        where, found = self.request.where, self.request.tasks[task]
        roles = self._roles(task, run)
        named: Where = where if run.domains else found.folder / "task.yaml"
        field = f"tasks.{task}.domains" if run.domains else f"sources.{run.source}.domains"
        for domain in roles:
            check_domain(named, field, found, run.source, domain)
        overlap = run.overlap_of(found.spec.overlap_allowed)
        prints = domain_fingerprints(found, run.source, roles, overlap)
        parent = self.request.output / "data" / task
        folders = {domain: str(parent / f"{run.source}-{domain}-{its[:SHORT]}") for domain, its in prints.items()}
        budgets = run.budgets or found.spec.budgets
        measured = load_task(found)
        measured.measure_by(run.metrics.said())
        if overlap != "allow":
            check_roles(where, found, run.source, roles)
        metrics = measured.spec.metrics
        content = [prints, roles, budgets, overlap, run.test_examples, metrics.model_dump(exclude=set(JUDGED))]
        content += [metric for metric in JUDGED if getattr(metrics, metric)]  # whoever judges, and wherever that lies
        self.prints[task] = prints
        return DataJob(
            task=task,
            source=run.source,
            roles=roles,
            folders=folders,
            budgets=budgets,
            overlap=overlap,
            done=str(parent / f"{fingerprint(content)[:SHORT]}.json"),
            where=where.of(f"tasks.{task}"),
            test_examples=run.test_examples,
            metric_options=run.metrics.model_dump(exclude_none=True),
        )

    def _roles(self, task: str, run: TaskRun) -> dict[str, Role]:
        known, where = self.request.tasks[task].spec.sources, self.request.where
        one_of(run.source, {str(name): its for name, its in known.items()}, where, f"tasks.{task}.source")
        source = known[run.source]
        roles = run.domains or source.domains
        if isinstance(roles, dict):
            for field in ("roles", "scored_domains"):
                if (said := getattr(run, field)) is not None:
                    mend = "the domains have roles of their own; remove it, or change `domains`"
                    raise bad(where, f"tasks.{task}.{field}", said, mend)
        else:
            roles = self._drawn(task, run, source)
        if "meta_test" not in roles.values():
            raise bad(where, f"tasks.{task}.domains", roles, "give at least one domain the role meta_test")
        return dict(roles)

    def _drawn(self, task: str, run: TaskRun, source: Source) -> dict[str, Role]:
        """Roles drawn by shares, or as files say them, less the meta_test domains that the run does not score."""
        found, where = self.request.tasks[task], self.request.where
        domains, shares = domains_of(found, run.source), run.roles or source.roles
        assert shares is not None  # the contract of a task says so
        told = domains if isinstance(domains, dict) and run.roles is None else None
        roles = drawn(domains, shares) if told is None else as_told(told)
        tested = sum(role == "meta_test" for role in roles.values())
        if run.scored_domains is not None and run.scored_domains > tested:
            drawn_for = "meta_test" if told else "drawn for meta_test"
            mend = f"{tested} of {len(roles)} domains are {drawn_for}; choose at most that"
            raise bad(where, f"tasks.{task}.scored_domains", run.scored_domains, mend)
        return limited(roles, run.scored_domains)


def looked_at(job: DataJob, blocks: Sequence[Block]) -> DataJob:
    """The job, which also sees that there are dev splits where early stopping of some block looks at them."""
    if not any(block.task == job.task and Train(**block.train).looks_at_split for block in blocks):
        return job
    done = Path(job.done).with_name(f"{fingerprint([job.done, 'dev'])[:SHORT]}.json")
    return replace(job, needs_dev=True, done=str(done))
