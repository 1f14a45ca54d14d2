"""Examples that a meta_train domain shares with a test split: refused, left out of training, or allowed and marked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from harness.base.errors import bad
from harness.base.files import read_json
from harness.base.fingerprint import fingerprint
from harness.contracts.task import Role
from harness.data.task import Example, Splits

Read = Callable[[str, str], list[Example]]  # a domain's split


def check_overlap(where: str, task: str, roles: Mapping[str, Role], read: Read, shown: str | None = None) -> None:
    """Raise UserError where a meta_train domain shares labelled examples with a meta_test domain.

    The sentence shows an example by its field `shown`, or else by its first.
    """
    seen: dict[str, str] = {}
    for domain, role in roles.items():
        if role == "meta_train":
            seen |= {_content(example): domain for split in ("train", "dev") for example in read(domain, split)}
    for domain, role in roles.items():
        for example in read(domain, "test") if role == "meta_test" else []:
            if other := seen.get(_content(example)):
                field = shown or next(key for key in example if key != "id")
                mend = (
                    f"it is a training example of meta_train domain {other!r} too; remove one of them, write "
                    "`overlap: drop` to train without it, or `overlap_allowed: true` to have the tables marked"
                )
                raise bad(where, f"tasks.{task}: the test example {example['id']}", str(example[field]), mend)


def scored(roles: Mapping[str, Role], read: Read) -> frozenset[str]:
    """The contents of all test examples of the meta_test domains."""
    domains = [domain for domain, role in roles.items() if role == "meta_test"]
    return frozenset(_content(example) for domain in domains for example in read(domain, "test"))


def without(splits: Splits, contents: Collection[str]) -> tuple[Splits, dict[str, int]]:
    """What of a domain is read for training, less examples of these contents, and how many each split lost.

    Unlabeled text loses them too: of language modelling it is what preparations learn from. The domain's own test
    split is not read for training.
    """
    kept = {
        split: rows if split == "test" else [row for row in rows if _content(row) not in contents]
        for split, rows in splits.items()
    }
    return kept, {split: lost for split in splits if (lost := len(splits[split]) - len(kept[split]))}


def dropped(folders: Iterable[str | Path]) -> dict[str, dict[str, int]]:
    """How many examples each split of these domains lost, by `task/domain`, for the domains that lost any."""
    manifests = [read_json(Path(folder) / "manifest.json") for folder in folders]
    return {f"{its['task']}/{its['domain']}": its["dropped"] for its in manifests if its["dropped"]}


def _content(example: Example) -> str:
    return fingerprint({key: value for key, value in example.items() if key != "id"})
