"""What the embedded source of every discovered task promises, and of those that `headstart new` writes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from harness.base.errors import UserError
from harness.contracts.discover import tasks
from harness.contracts.task import Role, Sizes
from harness.data.build import check_overlap
from harness.data.task import SPLITS, Example, Splits, Task, load_task
from tests.contract.cells import roles_in
from tests.contract.grammars import Used, key, watched
from tests.templates import template_tasks

SMALL = Sizes(train=12, dev=4, test=6, unlabeled=12)
FOLDERS = tasks() | template_tasks()
EMBEDDED = {name: folder for name, folder in FOLDERS.items() if "embedded" in folder.spec.sources}
OF_A_ROLE = 3  # of domains that are one of many, so many stand for all of a role


@cache
def roles_of(name: str) -> dict[str, Role]:
    """The domains that stand for a task's, with their roles."""
    roles = roles_in(EMBEDDED[name].spec.sources["embedded"])
    kept = [domain for role in get_args(Role) for domain in [its for its in roles if roles[its] == role][:OF_A_ROLE]]
    return {domain: roles[domain] for domain in kept} if len(roles) > 4 * OF_A_ROLE else roles


DOMAINS = [(name, domain) for name in EMBEDDED for domain in roles_of(name)]

each_task = pytest.mark.parametrize("name", EMBEDDED)
each_domain = pytest.mark.parametrize(("name", "domain"), DOMAINS)


@cache
def task_of(name: str) -> Task:
    return load_task(FOLDERS[name])


def read(name: str, domain: str, sizes: Sizes) -> Splits:
    return task_of(name).at(domain).read_embedded(domain, sizes)


@cache
def made(name: str, domain: str) -> tuple[Splits, Used]:
    """A domain at the sizes that the benchmark uses, and what its grammar drew."""
    sizes = EMBEDDED[name].spec.sources["embedded"].sizes
    assert sizes is not None
    with watched() as used:
        splits = read(name, domain, sizes)
    return splits, used


def texts(name: str, examples: list[Example]) -> list[str]:
    return [key(task_of(name).text(example)) for example in examples]


def content(example: Example) -> str:
    return json.dumps({name: value for name, value in example.items() if name != "id"}, sort_keys=True)


@each_domain
def test_sizes_are_as_declared(name: str, domain: str) -> None:
    splits, _ = made(name, domain)
    sizes = EMBEDDED[name].spec.sources["embedded"].sizes
    assert {split: len(rows) for split, rows in splits.items()} == (sizes.model_dump() if sizes else {})
    ids = [example["id"] for rows in splits.values() for example in rows]
    assert len(set(ids)) == len(ids)


@each_domain
def test_texts_of_splits_are_distinct(name: str, domain: str) -> None:
    splits, _ = made(name, domain)
    held = {split: texts(name, splits[split]) for split in SPLITS}
    for split in SPLITS:
        assert len(set(held[split])) == len(held[split])
    assert not set(held["test"]) & {*held["train"], *held["dev"]}
    assert not set(held["dev"]) & set(held["train"])
    corpus = "\n".join(held["unlabeled"])
    leaked = [text for text in held["test"] + held["dev"] if text in corpus]
    assert not leaked


@each_domain
def test_frames_and_entities_of_test_are_absent_from_train(name: str, domain: str) -> None:
    splits, used = made(name, domain)
    if not used.frames:
        pytest.skip("the task is not made by a grammar")
    for kind, of in (("frames", used.frames), ("entities", used.entities)):
        seen: dict[str, set[Any]] = {
            split: set().union(*(of[text] for text in texts(name, splits[split]))) for split in SPLITS
        }
        assert seen["test"], kind
        assert len(seen["train"]) > 1
        assert not seen["test"] & seen["train"], kind
        assert not seen["test"] & seen["dev"], kind


@pytest.mark.parametrize(
    ("name", "domain"), [place for place in DOMAINS if EMBEDDED[place[0]].spec.kind == "token-classification"]
)
def test_tagged_names_of_test_are_absent_from_train(name: str, domain: str) -> None:
    splits, _ = made(name, domain)
    train, test = ({span for row in splits[split] for span in spans(row)} for split in ("train", "test"))
    assert train
    assert test
    assert not train & test


def spans(example: Example) -> list[tuple[str, str]]:
    """The type and the text of each entity, read from IOB2 tags."""
    found: list[tuple[str, str]] = []
    for token, tag in zip(example["tokens"], example["tags"], strict=True):
        if tag.startswith("B-"):
            found.append((tag[2:], token))
        elif tag.startswith("I-"):
            assert found
            assert found[-1][0] == tag[2:]
            found[-1] = (tag[2:], f"{found[-1][1]} {token}")
    return found


@each_domain
def test_schema(name: str, domain: str) -> None:
    splits, _ = made(name, domain)
    for split, rows in splits.items():
        for example in rows:
            CHECKS[EMBEDDED[name].spec.kind](task_of(name).at(domain), example, split)


def check_tags(task: Any, example: Example, split: str) -> None:
    assert set(example) == {"id", "tokens", "tags"}
    assert example["tokens"]
    assert len(example["tags"]) == len(example["tokens"])
    assert all(token and token == token.strip() and " " not in token for token in example["tokens"])
    assert set(example["tags"]) <= set(task.labels)
    for before, tag in zip(["O", *example["tags"]], example["tags"], strict=False):
        assert not tag.startswith("I-") or before[2:] == tag[2:], "an I- follows no B- or I- of its type"


def check_text(task: Any, example: Example, split: str) -> None:
    assert set(example) == {"id", "text"}
    assert clean(example["text"])


def check_summary(task: Any, example: Example, split: str) -> None:
    assert set(example) in ({"id", "document", "summary"}, {"id", "document"})
    assert "summary" in example or split == "unlabeled"
    assert all(clean(value) for value in example.values())
    if "summary" in example:
        assert len(example["summary"]) < len(example["document"])


def check_record(task: Any, example: Example, split: str) -> None:
    if split == "unlabeled":
        assert set(example) == {"id", "text"}
        assert clean(example["text"])
        return
    assert set(example) == {"id", "record", "references"}
    assert clean(example["record"])
    assert all(clean(text) for text in example["references"])
    assert 1 <= len(set(example["references"])) == len(example["references"]) <= 3


def check_label(task: Any, example: Example, split: str) -> None:
    assert set(example) in ({"id", "text", "label"}, {"id", "text", "pair", "label"})
    assert all(clean(example[field]) for field in ("text", "pair") if field in example)
    label = example["label"]
    if task.own.numbers:
        low, high = task.own.numbers
        assert isinstance(label, float)
        assert low <= label <= high
    else:
        assert label in task.own.classes


def check_turns(task: Any, example: Example, split: str) -> None:
    assert set(example) in ({"id", "turns"}, {"id", "persona", "turns"})
    assert example["turns"]
    assert all(len(pair) == 2 for pair in example["turns"])
    assert all(
        clean(text) for text in [*example.get("persona", []), *(said for pair in example["turns"] for said in pair)]
    )


def clean(text: str) -> bool:
    """Text that no slot was left in and that no space surrounds."""
    return bool(text) and text == text.strip() and "\n" not in text and "{" not in text


CHECKS: dict[str, Any] = {
    "token-classification": check_tags,
    "sequence-classification": check_label,
    "causal-lm": check_text,
    "summarization": check_summary,
    "data-to-text": check_record,
    "dialogue": check_turns,
}


def digest(name: str) -> str:
    """A hash of all small domains of a task."""
    domains = roles_of(name)
    splits = {domain: read(name, domain, SMALL) for domain in domains}
    return hashlib.sha256(json.dumps(splits, sort_keys=True).encode()).hexdigest()


def test_another_process_makes_the_same() -> None:
    """Another process has another hash seed, so the order of a set would show."""
    code = "from tests.contract.test_tasks import *; print(*[digest(name) for name in EMBEDDED])"
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [digest(name) for name in EMBEDDED], done.stderr


@each_task
def test_domains_differ(name: str) -> None:
    domains = roles_of(name)
    held = [content(example) for domain in domains for example in made(name, domain)[0]["train"]]
    assert len(set(held)) == len(held)


@each_task
def test_meta_train_and_meta_test_share_no_labelled_example(name: str) -> None:
    roles = roles_of(name)
    learned = next(domain for domain, role in roles.items() if role == "meta_train")
    assert "meta_test" in roles.values()
    held = {
        role: {
            content(row)
            for domain in roles
            if roles[domain] == role
            for split in SPLITS[:3]
            for row in made(name, domain)[0][split]
        }
        for role in ("meta_train", "meta_dev", "meta_test")
    }
    assert not held["meta_train"] & held["meta_test"]
    assert not held["meta_train"] & held["meta_dev"]

    def standing(domain: str, split: str) -> list[Example]:
        return made(name, domain)[0][split]

    def planted(domain: str, split: str) -> list[Example]:
        found = standing(domain, split)
        return [*found, standing(learned, "train")[0]] if split == "test" else found

    check_overlap("config", name, roles, standing)
    with pytest.raises(UserError, match="meta_train domain"):
        check_overlap("config", name, roles, planted)


@each_task
def test_budgets_fit(name: str) -> None:
    spec = EMBEDDED[name].spec
    sizes = spec.sources["embedded"].sizes
    assert sizes is not None
    assert max(spec.budgets) <= sizes.train
