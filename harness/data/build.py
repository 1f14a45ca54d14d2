"""The rule `data`: each domain's splits on disk, with a manifest of their hashes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from harness.base.errors import NotHere, bad
from harness.base.files import read_lines, whole_folder, write_json, write_lines
from harness.base.fingerprint import fingerprint, hash_file
from harness.base.lines import Where
from harness.base.paths import expanded, own_files
from harness.contracts.budget import WHOLE
from harness.contracts.discover import TaskFolder
from harness.contracts.model import one_of
from harness.contracts.plan import DataJob
from harness.contracts.task import HubSet, Overlap, Role, RunMetrics, Source, SourceName
from harness.data.local import check_examples, content_of, needs_folder
from harness.data.overlap import Read, check_overlap, scored, without
from harness.data.task import SPLITS, Example, Splits, Task, load_task

LAYOUT = 2  # raised when what a data folder holds changes


def local_folder(where: Path, source: Source) -> Path:
    """The folder of a local source; raises UserError where HEADSTART_DATA or the folder is missing."""
    root = os.environ.get("HEADSTART_DATA")
    field = "sources.local.folder"
    if not root:
        mend = "HEADSTART_DATA is not set; set this environment variable to the folder that holds the local data"
        raise NotHere(str(bad(where, field, source.folder, mend)))
    folder = Path(expanded(root, "the environment", "HEADSTART_DATA")) / (source.folder or "")
    if not folder.is_dir():
        mend = f"{folder} does not exist; put the data there or set HEADSTART_DATA to another folder"
        raise NotHere(str(bad(where, field, source.folder, mend)))
    return folder


def pinned(where: Path, source: Source, domain: str) -> HubSet:
    """The hub data set of a domain; raises UserError where no commit of it is named."""
    name, found = source.set_of(domain)
    if found.revision is None:
        mend = f"set it to a commit of the data set {found.id}, since what the hub holds can change"
        raise bad(where, f"sources.hub.sets.{name}.revision", None, mend)
    return found


def domains_of(task: TaskFolder, name: SourceName) -> list[str] | dict[str, Role]:
    """The domains of a source, whether task.yaml names them or the task finds them; raises UserError as files do.

    With their roles where the files say them.
    """
    source = task.spec.sources[name]
    if source.domains != "found":
        return source.named
    where = task.folder / "task.yaml"
    if name == "hub":
        return load_task(task).found_on_hub(pinned(where, source, ""))
    return load_task(task).found(local_folder(where, source))


def check_domain(where: Where, field: str, task: TaskFolder, name: SourceName, domain: str) -> None:
    """Raise UserError where a source of a task has no such domain."""
    source = task.spec.sources[name]
    its = load_task(task).at(domain)
    reader = source.reader_of(domain)
    if source.domains == "found":
        one_of(domain, list(domains_of(task, name)), where, field)
    elif name == "hub":
        one_of(domain, list(source.sets or {}), where, field)
    elif name == "local" and (reader is None or needs_folder(its, reader)):
        folder = local_folder(task.folder / "task.yaml", source) / ((reader and reader.folder) or domain)
        if not folder.is_dir():
            raise bad(where, field, domain, f"there is no folder {folder}; add it or name another domain")
    grammars = [file.stem for file in own_files(task.folder / "embedded", ".yaml")]
    if name == "embedded" and grammars:  # without any, the task generates in a way of its own
        one_of(domain, grammars, where, field)


def domain_content(task: TaskFolder, name: SourceName, domain: str) -> Any:
    """What a domain is read from, without its name: one domain under two names has the same content."""
    where, source = task.folder / "task.yaml", task.spec.sources[name]
    if name == "hub":
        content = pinned(where, source, domain).model_dump()
        return [content, domain] if source.domains == "found" else content
    if name == "local":
        folder = local_folder(where, source)
        if reader := source.reader_of(domain):
            return content_of(load_task(task), reader, domain, folder)
        return load_task(task).local_content(domain, folder)
    grammar = task.folder / "embedded" / f"{domain}.yaml"
    return hash_file(grammar) if grammar.is_file() else domain


def check_roles(where: Where, task: TaskFolder, name: SourceName, roles: dict[str, Role]) -> None:
    """Raise UserError where one domain has two roles under two names."""
    seen: dict[str, str] = {}
    for domain, role in roles.items():
        other = seen.setdefault(fingerprint(domain_content(task, name, domain)), domain)
        if roles[other] != role:
            mend = f"its data are those of {other!r}, which is {roles[other]}; remove one of them, or write "
            mend += "`overlap_allowed: true` to have the tables marked"
            raise bad(where, f"tasks.{task.id}.domains.{domain}", role, mend)


def domain_fingerprint(task: TaskFolder, name: SourceName, domain: str) -> str:
    """The hash of what decides a domain's splits: the task's code and lists, and the source's files."""
    source = task.spec.sources[name]
    content: dict[str, Any] = {"layout": LAYOUT, "task": task.id, "code": task.code, "source": name, "domain": domain}
    content["types"] = task.spec.types
    if labels := task.spec.labels_by_domain.get(domain, task.spec.labels):
        content["labels"] = labels.model_dump(exclude={"metric"})
    if name == "embedded":
        content["sizes"] = source.sizes.model_dump() if source.sizes else None
    else:
        content["content"] = domain_content(task, name, domain)
    return fingerprint(content)


def domain_fingerprints(task: TaskFolder, name: SourceName, roles: dict[str, Role], overlap: Overlap) -> dict[str, str]:
    """Every domain's fingerprint; of one that loses test examples of others, theirs are a part."""
    prints = {domain: domain_fingerprint(task, name, domain) for domain in roles}
    if overlap != "drop":
        return prints
    tested = sorted(prints[domain] for domain, role in roles.items() if role == "meta_test")
    loses = [domain for domain, role in roles.items() if role == "meta_train"]
    return prints | {domain: fingerprint({"domain": prints[domain], "without": tested}) for domain in loses}


def read_domain(task: Task, name: SourceName, domain: str) -> Splits:
    """The splits of a domain from one of the task's sources."""
    where, source, task = task.folder / "task.yaml", task.spec.sources[name], task.at(domain)
    if name == "hub":
        return task.read_hub(domain, pinned(where, source, domain))
    if name == "local":
        splits = task.read_local(domain, local_folder(where, source))
        if source.reader_of(domain) is None:
            check_examples(task, splits)
        return splits
    assert source.sizes is not None  # the contract of a task says so
    return task.read_embedded(domain, source.sizes)


def build_domains(task: TaskFolder, job: DataJob) -> None:
    """Write every domain of a task; where overlap is dropped, meta_train domains without what is tested."""
    tested = [domain for domain, role in job.roles.items() if role == "meta_test"]
    for domain in tested:
        build_domain(task, job.source, domain, Path(job.folders[domain]))
    held = scored(job.roles, standing(job.folders)) if job.overlap == "drop" else frozenset[str]()
    for domain, role in job.roles.items():
        if domain not in tested:
            leave = held if role == "meta_train" else ()
            build_domain(task, job.source, domain, Path(job.folders[domain]), leave)


def build_domain(task: TaskFolder, name: SourceName, domain: str, folder: Path, leave: Collection[str] = ()) -> None:
    """Write a domain's splits, less the contents to leave out, and their manifest, unless they stand there already."""
    if (folder / "manifest.json").is_file():
        return
    splits, lost = without(read_domain(load_task(task), name, domain), leave)
    with whole_folder(folder) as beside:
        manifest: dict[str, Any] = {"task": task.id, "source": name, "domain": domain, "splits": {}, "dropped": lost}
        for split in SPLITS:
            file = beside / f"{split}.jsonl"
            write_lines(file, splits.get(split, []))
            manifest["splits"][split] = {"examples": len(splits.get(split, [])), "sha256": hash_file(file)}
        write_json(beside / "manifest.json", manifest)


def check_budgets(where: str, task: str, domain: str, size: int, budgets: Iterable[int]) -> None:
    """Raise UserError where a budget is larger than the domain's train split."""
    for budget in budgets:
        if size < budget != WHOLE:
            mend = f"domain {domain!r} has {size} training examples; choose at most that"
            raise bad(where, f"tasks.{task}.budgets", budget, mend)


def check_job(task: Task, job: DataJob, read: Read) -> None:
    """Raise UserError where a task's splits do not allow its budgets, its roles and its metric."""
    for domain, role in job.roles.items():
        if job.needs_dev and role != "meta_train" and not read(domain, "dev"):
            mend = "it has no dev example for `patience` to look at; give it some, or write `dev: budget`"
            raise bad(job.where, f"tasks.{job.task}.domains.{domain}", role, mend)
        if role == "meta_test":
            check_budgets(job.where, job.task, domain, len(read(domain, "train")), job.budgets)
            if not (tested := read(domain, "test")[: job.test_examples]):
                raise bad(job.where, f"tasks.{job.task}.domains.{domain}", role, "it has no test example; give it some")
            task.at(domain).check_scored(domain, tested)
        elif job.overlap == "drop" and not read(domain, "train"):
            mend = f"every training example of domain {domain!r} is a test example too; remove the domain"
            raise bad(job.where, f"tasks.{job.task}.overlap", job.overlap, mend)
    if job.overlap == "refuse":
        check_overlap(job.where, job.task, job.roles, read, shown=task.fields[0])


def task_of(task: TaskFolder, job: DataJob) -> Task:
    """The task as a job's run measures it."""
    found = load_task(task)
    found.measure_by(RunMetrics(**job.metric_options).said())
    return found


def check_ahead(task: TaskFolder, job: DataJob) -> None:
    """Refuse, before any job runs, what the rule `data` would refuse; nothing is written.

    Files of this machine are read whole. What is generated or fetched is left to the rule, but for its size.
    """
    if Path(job.done).is_file():
        return
    if job.source == "local":
        reader = task_of(task, job)
        splits = {domain: read_domain(reader, job.source, domain) for domain in job.roles}

        def read(domain: str, split: str) -> list[Example]:
            return splits[domain].get(split, [])

        held = scored(job.roles, read) if job.overlap == "drop" else frozenset[str]()
        for domain, role in job.roles.items():
            if role == "meta_train":
                splits[domain], _ = without(splits[domain], held)
        return check_job(reader, job, read)
    sizes = task.spec.sources[job.source].sizes
    for domain, role in job.roles.items():
        if role == "meta_test" and sizes:
            check_budgets(job.where, job.task, domain, sizes.train, job.budgets)


def standing(folders: dict[str, str]) -> Read:
    """Reads splits that the rule `data` has written."""
    return lambda domain, split: read_lines(Path(folders[domain]) / f"{split}.jsonl")
