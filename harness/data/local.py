"""The local source of a task whose files its task.yaml describes: which they are, and the examples in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.errors import bad
from harness.base.fingerprint import hash_file
from harness.base.seeds import derive
from harness.contracts.model import one_of
from harness.contracts.reader import DOMAIN, WHOLE, Reader, Tagging
from harness.data.files import existing
from harness.data.formats import FORMATS
from harness.data.rows import Row, RowFault

if TYPE_CHECKING:
    from harness.data.task import Task

SPLITS = ("train", "dev", "test", "unlabeled")


def check_reader(task: Task, reader: Reader, block: str) -> None:
    """Raise UserError where a reader cannot give what the task's kind needs, or has options without a meaning."""
    where = task.folder / "task.yaml"
    if reader.holds and set(reader.holds) != set(task.fields):
        mend = f"it holds {' and '.join(reader.holds)}, and {task.kind} needs {' and '.join(task.fields)}; take another"
        raise bad(where, f"{block}.format", type(reader).__name__.lower(), mend)
    for split in SPLITS:
        named = reader.named(split)
        for field in named:
            one_of(
                field,
                list(dict.fromkeys((*task.fields, *task.inputs, *task.optional))),
                where,
                f"{block}.{reader.names_in}",
            )
        lacking = [field for field in _fields(task, reader, split) if field not in named]
        if lacking and reader.names_all and (named or split in ("train", "test")):
            mend = f"name what holds {lacking[0]!r}, which {task.kind} needs"
            raise bad(where, f"{block}.{reader.names_in}", dict(named), mend)
    for option in Tagging.model_fields:
        whose = "label" if option == "labels" else "tags"
        if option in reader.model_fields_set and whose not in task.fields:
            mend = f"{task.kind} has no {whose.removesuffix('s')}s; remove it"
            raise bad(where, f"{block}.{option}", getattr(reader, option), mend)
    for theirs, ours in reader.types.items():
        if ours is not None:
            one_of(ours, list(task.types), where, f"{block}.types.{theirs}")


def needs_folder(task: Task, reader: Reader) -> bool:
    """Whether some of a domain's files lie in a folder of its own."""
    names = [name for split in SPLITS for name in reader.file_names(split, _fields(task, reader, split))]
    return any(DOMAIN not in name for name in names)


def read_rows(task: Task, reader: Reader, split: str, domain: str, folder: Path) -> list[dict[str, Any]]:
    """The examples of a split, less their ids; none where the split has no file. Raises UserError as formats do."""
    files = _files(task, reader, split, domain, folder)
    examples = []
    for row in FORMATS[type(reader)](reader, files, _fields(task, reader, split)) if files else ():
        values = {field: _parted(task, reader, field, value) for field, value in row.values.items()}
        try:
            examples.append(task.from_row(values, reader))
        except RowFault as fault:
            raise row.refusal(fault) from None
    if files and not examples:
        raise bad(files[0], "the number of examples", 0, "the file holds none; fetch it again or name another")
    share = reader.share_of(split)
    return [its for its in task.grouped(examples) if derive("share", task.text(its)) % WHOLE in share]


def check_examples(task: Task, splits: Mapping[str, list[dict[str, Any]]]) -> None:
    """Raise UserError where what a task's own code has read is not what its kind needs; readers check as they read."""
    for split, examples in splits.items():
        for number, example in enumerate(examples, 1):
            row = Row(f"{task.folder / 'task.py'}: read_local, {split} example {number}", example)
            labelled = split != "unlabeled" or set(task.fields) <= set(example)
            for field in task.fields if labelled else task.inputs:
                if field not in example:
                    raise bad(row.where, "the example", example, f"it lacks {field!r}; give it one")
            try:
                task.from_row(example, Tagging(scheme="iob1"))
            except RowFault as fault:
                raise row.refusal(fault) from None


def content_of(task: Task, reader: Reader, domain: str, folder: Path) -> dict[str, Any]:
    """What a domain is read from, without its name: the block, and the hash of every file by its name in the block."""
    hashes = {}
    for split in SPLITS:
        names = reader.file_names(split, _fields(task, reader, split))
        for name, path in zip(names, _files(task, reader, split, domain, folder), strict=True):
            hashes[name] = hash_file(existing(path))
    # Where nothing is divided the block reads as it did before files could be.
    return {"files": hashes, "reader": reader.model_dump(exclude=None if reader.shares else {"shares"})}


def _fields(task: Task, reader: Reader, split: str) -> Sequence[str]:
    """The fields that a split's files hold: of those that an example may have, the ones that the reader names."""
    named = reader.named(split)
    needed = task.inputs if split == "unlabeled" else task.fields
    return [*needed, *(field for field in task.optional if field in named)]


def _files(task: Task, reader: Reader, split: str, domain: str, folder: Path) -> list[Path]:
    names = reader.file_names(split, _fields(task, reader, split))
    own = reader.folder or domain
    return [folder / (name.replace(DOMAIN, domain) if DOMAIN in name else f"{own}/{name}") for name in names]


def _parted(task: Task, reader: Reader, field: str, value: Any) -> Any:
    """A list that the format can only write as a string, its items parted by spaces."""
    if reader.strings_only and field in task.lists and isinstance(value, str):
        return value.strip(" ").split(" ")
    return value
