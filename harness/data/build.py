"""The rule `data`: each domain's splits on disk, with a manifest of their hashes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.base.errors import UserError, bad
from harness.base.files import read_json, read_lines, whole_folder, write_json, write_lines
from harness.base.fingerprint import fingerprint, hash_file, hash_files
from harness.contracts.discover import TaskFolder
from harness.contracts.task import Role, Source, SourceName
from harness.data.task import SPLITS, Example, Splits, Task, load_task

LAYOUT = 1  # raised when what a data folder holds changes


def local_folder(source: Source) -> Path:
    """The folder of a local source; raises UserError where HEADSTART_DATA or the folder is missing."""
    root = os.environ.get("HEADSTART_DATA")
    if not root:
        raise UserError("HEADSTART_DATA is not set; set it to the folder that holds the local data")
    folder = Path(root) / (source.folder or "")
    if not folder.is_dir():
        raise bad("HEADSTART_DATA", "the data folder", str(folder), "it does not exist; set the variable to another")
    return folder


def domain_fingerprint(task: TaskFolder, name: SourceName, domain: str) -> str:
    """The hash of what decides a domain's splits: the task's code and lists, and the source's files."""
    source = task.spec.sources[name]
    content: dict[str, Any] = {"layout": LAYOUT, "task": task.id, "code": task.code, "source": name, "domain": domain}
    if name == "embedded":
        content["sizes"] = source.sizes.model_dump() if source.sizes else None
    if name == "local":
        folder = local_folder(source)
        if not (folder / domain).is_dir():
            raise bad(folder, "the domain", domain, "no such folder is there; add it or name another domain")
        content["files"] = hash_files([path for path in (folder / domain).rglob("*") if path.is_file()], folder)
    if name == "hub":
        content["hub"] = [source.id, source.revision, source.columns, source.configurations]
    return fingerprint(content)


def read_domain(task: Task, name: SourceName, domain: str) -> Splits:
    """The splits of a domain from one of the task's sources."""
    source = task.spec.sources[name]
    if name == "embedded":
        if source.sizes is None:
            raise UserError(f"{task.folder / 'task.yaml'}: sources.embedded.sizes is missing; add it")
        return task.read_embedded(domain, source.sizes)
    if name == "local":
        return task.read_local(domain, local_folder(source))
    return task.read_hub(domain, source)


def build_domain(task: TaskFolder, name: SourceName, domain: str, folder: Path) -> None:
    """Write a domain's splits and their manifest to `folder`, unless they stand there already."""
    if (folder / "manifest.json").is_file():
        return
    splits = read_domain(load_task(task), name, domain)
    with whole_folder(folder) as beside:
        manifest: dict[str, Any] = {"task": task.id, "source": name, "domain": domain, "splits": {}}
        for split in SPLITS:
            file = beside / f"{split}.jsonl"
            write_lines(file, splits.get(split, []))
            manifest["splits"][split] = {"examples": len(splits.get(split, [])), "sha256": hash_file(file)}
        write_json(beside / "manifest.json", manifest)


def check_budgets(where: str, domain: str, manifest: Path, budgets: Iterable[int]) -> None:
    """Raise UserError where a budget is larger than the domain's train split."""
    size = read_json(manifest)["splits"]["train"]["examples"]
    for budget in budgets:
        if budget > size:
            raise bad(where, "budgets", budget, f"domain {domain!r} has {size} training examples; choose at most that")


def check_overlap(where: str, folders: dict[str, Path], roles: dict[str, Role]) -> None:
    """Raise UserError where a meta_train domain shares labelled examples with a meta_test domain."""
    seen: dict[str, str] = {}
    for domain, folder in folders.items():
        if roles[domain] == "meta_train":
            for split in ("train", "dev"):
                seen |= {_content(example): domain for example in read_lines(folder / f"{split}.jsonl")}
    for domain, folder in folders.items():
        if roles[domain] == "meta_test":
            for example in read_lines(folder / "test.jsonl"):
                if other := seen.get(_content(example)):
                    raise bad(
                        where,
                        f"test example {example['id']} of meta_test domain {domain!r}",
                        next(str(value) for key, value in example.items() if key != "id"),
                        f"it is also a training example of meta_train domain {other!r}; remove one of them",
                    )


def _content(example: Example) -> str:
    return fingerprint({key: value for key, value in example.items() if key != "id"})
