"""Roles drawn by shares: from names alone, as near to the shares as whole domains can be, and what a run may change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.contracts.model import validate
from harness.contracts.plan import Plan
from harness.contracts.task import Shares, TaskSpec
from harness.data.roles import drawn, limited
from harness.plan.entry import make_plan
from tests import project as use
from tests.project import CONFIG
from tests.unit.test_paml import write

NAMES = [f"persona_{number:02}" for number in range(100)]
SHARES = Shares(meta_train=70, meta_dev=10, meta_test=20)


def counts(size: int, **shares: float) -> list[int]:
    found = Counter(drawn(NAMES[:size], Shares(**shares)).values())
    return [found["meta_train"], found["meta_dev"], found["meta_test"]]


def test_the_draw_depends_on_names_alone() -> None:
    mixed = list(NAMES)
    Random(1).shuffle(mixed)
    assert drawn(mixed, SHARES) == drawn(NAMES, SHARES)
    assert list(drawn(mixed, SHARES)) == list(drawn(NAMES, SHARES))
    assert [drawn(NAMES, SHARES)[name] for name in NAMES] != sorted(drawn(NAMES, SHARES).values())


@pytest.mark.parametrize(
    ("size", "shares", "wanted"),
    [
        (100, {"meta_train": 70, "meta_dev": 10, "meta_test": 20}, [70, 10, 20]),
        (100, {"meta_train": 7, "meta_dev": 1, "meta_test": 2}, [70, 10, 20]),
        (77, {"meta_train": 70, "meta_dev": 10, "meta_test": 20}, [54, 8, 15]),
        (3, {"meta_train": 70, "meta_dev": 10, "meta_test": 20}, [1, 1, 1]),
        (10, {"meta_train": 50, "meta_test": 50}, [5, 0, 5]),
        (4, {"meta_test": 1}, [0, 0, 4]),
    ],
)
def test_counts_are_nearest_to_the_shares(size: int, shares: dict[str, float], wanted: list[int]) -> None:
    assert counts(size, **shares) == wanted


def test_one_more_name_moves_few_roles() -> None:
    before, after = drawn(NAMES[:99], SHARES), drawn(NAMES, SHARES)
    assert sum(before[name] != after[name] for name in NAMES[:99]) <= 3


def test_fewer_are_scored_and_the_others_stay_as_they_are() -> None:
    roles = drawn(NAMES, SHARES)
    tested = [name for name in roles if roles[name] == "meta_test"]
    few = limited(roles, 6)
    assert [name for name in few if few[name] == "meta_test"] == tested[:6]
    assert {name: role for name, role in few.items() if role != "meta_test"} == {
        name: role for name, role in roles.items() if role != "meta_test"
    }
    assert limited(roles, None) == roles


def planned(folder: Path, **changes: Any) -> Plan:
    run = {"budgets": [2]} | changes
    spec = {"persona_decoder": use.backbone("gpt2", "persona", max_length=128)}
    use.config(methods=["finetune", "echo"], tasks={"persona": run}, backbones=spec)(folder)
    return make_plan(CONFIG)


def test_a_run_may_change_the_shares_and_how_many_are_scored(project: Path) -> None:
    whole = planned(project)
    assert Counter(whole.data[0].roles.values()) == {"meta_train": 54, "meta_dev": 8, "meta_test": 15}
    few = planned(project, scored_domains=6)
    assert Counter(few.data[0].roles.values()) == {"meta_train": 54, "meta_dev": 8, "meta_test": 6}
    assert few.tasks["persona"].domains == whole.tasks["persona"].domains[:6]
    kept = {cell.fingerprint for cell in few.cells()}
    assert kept == {cell.fingerprint for cell in whole.cells() if cell.domain in few.tasks["persona"].domains}
    other = planned(project, roles={"meta_train": 50, "meta_test": 50})
    assert Counter(other.data[0].roles.values()) == {"meta_train": 39, "meta_test": 38}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scored_domains": 16}, r"tasks.persona.scored_domains is 16; 15 of 77 domains are drawn for meta_test"),
        (
            {"domains": {"ada": "meta_test"}, "scored_domains": 1},
            r"scored_domains is 1; the domains have roles of their",
        ),
        (
            {"domains": {"ada": "meta_test"}, "roles": {"meta_test": 1}},
            r"tasks.persona.roles .*; the domains have roles",
        ),
        ({"domains": {"adda": "meta_test"}}, r"domains is 'adda'; did you mean 'ada'"),
        ({"roles": {"meta_train": 70}}, r"meta_test"),
        ({"source": "local"}, r"HEADSTART_DATA is not set"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str
) -> None:
    monkeypatch.delenv("HEADSTART_DATA", raising=False)
    with pytest.raises(UserError, match=told):
        planned(project, **changes)


def test_roles_that_files_say_stand_unless_the_run_says_others(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "data" / "persona_chat").mkdir(parents=True)
    write(project / "data" / "persona_chat")
    monkeypatch.setenv("HEADSTART_DATA", str(project / "data"))
    told = {"train": "meta_train", "valid": "meta_dev", "test": "meta_test"}
    plan = planned(project, source="local", budgets=[1])
    assert plan.data[0].roles == {f"{split}_{number}": told[split] for split in told for number in (0, 1)}
    few = planned(project, source="local", budgets=[1], scored_domains=1)
    assert len(few.tasks["persona"].domains) == 1
    assert few.tasks["persona"].domains == plan.tasks["persona"].domains[:1]
    with pytest.raises(UserError, match=r"scored_domains is 3; 2 of 6 domains are meta_test; choose at most that"):
        planned(project, source="local", budgets=[1], scored_domains=3)
    drawn_again = planned(project, source="local", budgets=[1], roles={"meta_test": 1})
    assert set(drawn_again.data[0].roles.values()) == {"meta_test"}


def test_texts_alone_take_part_where_replies_are_generated(project: Path) -> None:
    assert {block.method for block in planned(project, scored_domains=1).blocks} == {"finetune"}
    plan = planned(project, scored_domains=1, generates=True)
    assert {block.method for block in plan.blocks} == {"finetune", "echo"}
    assert planned(project, scored_domains=1, generates=True, generation={"num_beams": 1}).tasks["persona"].generation
    with pytest.raises(UserError, match=r"tasks.persona.generation .* generate no texts"):
        planned(project, scored_domains=1, generation={"num_beams": 1})
    plain = {cell.fingerprint for cell in planned(project, scored_domains=1).cells()}
    assert not plain & {cell.fingerprint for cell in plan.cells()}


def source(**changes: Any) -> dict[str, Any]:
    its = {"domains": ["a", "b"], "roles": {"meta_test": 1}, "sizes": {"train": 1, "dev": 1, "test": 1}} | changes
    content = dict.fromkeys(("label", "summary", "citation", "licence", "backbone"), "a")
    return content | {
        "kind": "dialogue", "metric": "perplexity", "direction": "min", "version": 1, "max_length": 16, "budgets": [1],
        "sources": {"embedded": {key: value for key, value in its.items() if value is not None}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"roles": None}, "add `roles` in the source 'embedded': say which share"),
        ({"domains": {"a": "meta_test"}}, "remove `roles` in the source 'embedded': each domain has its own"),
        ({"domains": ["a", "a"]}, "the domain 'a' stands twice"),
        ({"domains": "found"}, "name the domains of the source 'embedded': they are found in files alone"),
    ],
)
def test_a_source_says_roles_in_one_way(changes: dict[str, Any], told: str) -> None:
    validate(TaskSpec, source(), "task.yaml")
    with pytest.raises(UserError, match=told):
        validate(TaskSpec, source(**changes), "task.yaml")
