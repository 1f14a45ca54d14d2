"""Hub sources: columns under our names, pinned commits, and what is refused. No network: the hub is a stand-in."""

from __future__ import annotations

from typing import Any

import datasets
import pytest

from harness.base.errors import UserError
from harness.base.fingerprint import fingerprint
from harness.contracts.discover import TaskFolder, load_module, tasks
from harness.contracts.task import HubSet
from harness.data.build import check_domain, domain_content, domain_fingerprint, domains_of, read_domain
from harness.data.task import load_task

COMMIT = "0123456789" * 4
COLUMNS = {
    "wikiann": {"tokens": "words", "tags": "labels"},
    "adaptsum": {"document": "long", "summary": "short"},
    "adaptsum_lm": {"text": "long"},
}
ROWS: dict[str, dict[str, Any]] = {
    "wikiann": {"words": ["Ann", "Lee", "sings"], "labels": [1, 2, 0], "more": 3},
    "adaptsum": {"long": ["One.", "Two\nthree."], "short": ["First. ", "Second."]},
    "adaptsum_lm": {"long": " One\n\ntwo. "},
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "wikiann": {"tokens": ["Ann", "Lee", "sings"], "tags": ["B-PER", "I-PER", "O"]},
    "adaptsum": {"document": "One. Two three.", "summary": "First."},
    "adaptsum_lm": {"text": "One two."},
}


def hub_set(task: str, **changes: Any) -> HubSet:
    return HubSet.model_validate({"id": "x/y", "revision": COMMIT, "columns": COLUMNS[task]} | changes)


def serve(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let the hub hold `rows`; returns the requests that it gets."""
    asked: list[dict[str, Any]] = []

    def load(name: str, configuration: str | None, **options: Any) -> datasets.Dataset:
        asked.append({"id": name, "configuration": configuration} | options)
        return datasets.Dataset.from_list(rows)

    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


def with_set(task: str, hub: HubSet) -> TaskFolder:
    """The task with one hub domain `d`."""
    found = tasks()[task]
    source = found.spec.sources["hub"].model_copy(update={"domains": {"d": "meta_test"}, "sets": {"d": hub}})
    return TaskFolder(task, found.folder, found.spec.model_copy(update={"sources": {"hub": source}}))


@pytest.mark.parametrize("task", ROWS)
def test_rows_become_examples(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, [ROWS[task]] * 2)
    splits = {"train": "train[:80%]", "dev": "train[80%:]", "test": "test"}
    found = with_set(task, hub_set(task, configuration="c", splits=splits))
    read = read_domain(load_task(found), "hub", "d")
    assert read["test"] == [{"id": f"d-test-{number}"} | EXAMPLES[task] for number in range(2)]
    assert read["unlabeled"] == read["train"]
    assert [request["split"] for request in asked] == ["train[:80%]", "train[80%:]", "test"]
    assert {(r["id"], r["configuration"], r["revision"]) for r in asked} == {("x/y", "c", COMMIT)}


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("no such column", {"columns": {"tokens": "token", "tags": "labels"}}, {}, "a column is 'token'; it is not there"),
    ("unknown tag", {}, {"labels": [1, 2, 9]}, "train row 0: the row is .* it is unreadable"),
    ("text for a tag", {}, {"labels": ["PER", "PER", "O"]}, "train row 0: the row is .* it is unreadable"),
    ("empty row", {}, {"words": [], "labels": []}, "train row 0: the row is .* a field is empty"),
]


@pytest.mark.parametrize(("name", "changes", "row", "told"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(
    name: str, changes: dict[str, Any], row: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, [ROWS["wikiann"] | row])
    task = load_task(with_set("wikiann", hub_set("wikiann", **changes)))
    with pytest.raises(UserError, match=rf"hub data set x/y.*{told}"):
        read_domain(task, "hub", "d")


def test_a_hub_out_of_reach_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise ConnectionError("no way\nto the hub")

    monkeypatch.setattr(datasets, "load_dataset", load)
    task = load_task(with_set("wikiann", hub_set("wikiann")))
    with pytest.raises(UserError, match=r"it cannot be loaded .ConnectionError: no way.; mend"):
        read_domain(task, "hub", "d")


def test_an_unpinned_set_is_refused() -> None:
    with pytest.raises(UserError, match=r"sources\.hub\.sets\.d\.revision is None; set it to a commit"):
        domain_fingerprint(with_set("wikiann", hub_set("wikiann", revision=None)), "hub", "d")


def test_another_commit_is_another_fingerprint() -> None:
    prints = [
        domain_fingerprint(with_set("wikiann", hub_set("wikiann", revision=r)), "hub", "d") for r in (COMMIT, "f" * 40)
    ]
    assert prints[0] != prints[1]


PUBLISHED: dict[str, tuple[list[dict[str, Any]], list[tuple[str, list[str]]]]] = {
    "e2e": (
        [
            {"meaning_representation": "name[Lumo], food[soup]", "human_reference": text}
            for text in ("Lumo has soup.", "Soup at Lumo.")
        ],
        [("name[Lumo], food[soup]", ["Lumo has soup.", "Soup at Lumo."])],
    ),
    "webnlg": (
        [
            {
                "modified_triple_sets": {"mtriple_set": [["Ann_Lee | livesIn | Port_Elm", "Ann_Lee | age | 40"]]},
                "lex": {"text": ["Ann is 40.", "Ann, 40, is of Port Elm."], "lang": ["", ""]},
            }
        ],
        [("Ann Lee : livesIn : Port Elm | Ann Lee : age : 40", ["Ann is 40.", "Ann, 40, is of Port Elm."])],
    ),
    "dart": (
        [
            {
                "tripleset": [["Ann_Lee", "HOME", "Elm"], ["Elm", "IN", "Rome"]],
                "annotations": [{"source": "a", "text": "One."}, {"source": "b", "text": "Two."}],
            }
        ],
        [("Ann Lee : HOME : Elm | Elm : IN : Rome", ["One.", "Two."])],
    ),
}


@pytest.mark.parametrize("domain", PUBLISHED)
def test_published_records_are_read_by_the_columns_of_task_yaml(domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, wanted = PUBLISHED[domain]
    serve(monkeypatch, rows)
    source = tasks()["nlg"].spec.sources["hub"]
    assert source.sets
    hub = source.sets[domain].model_copy(update={"revision": COMMIT})
    read = read_domain(load_task(with_set("nlg", hub)), "hub", "d")
    assert [(row["record"], row["references"]) for row in read["test"]] == wanted


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"tripleset": [["a", "b"]]}, "train row 0: the row is .* it is no triple"),
        ({"tripleset": []}, "train row 0: the row is .* a field is empty"),
        ({"annotations": {"source": ["a"]}}, "train row 0: the row is .* a field is empty"),
        ({"annotations": [{"text": " "}]}, "train row 0: the row is .* it holds only invisible"),
    ],
)
def test_published_records_that_are_none_are_refused(
    row: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, [PUBLISHED["dart"][0][0] | row])
    source = tasks()["nlg"].spec.sources["hub"]
    assert source.sets
    with pytest.raises(UserError, match=rf"hub data set Yale-LILY/dart: {told}"):
        read_domain(load_task(with_set("nlg", source.sets["dart"])), "hub", "d")


@pytest.mark.parametrize("task", sorted(ROWS))
def test_our_own_hub_sources_are_marked_as_not_verified(task: str) -> None:
    """Whoever pins a commit has seen the data, and sets `verified` too."""
    source = tasks()[task].spec.sources["hub"]
    assert source.sets
    assert set(source.domains) == set(source.sets)
    assert source.verified == all(hub.revision for hub in source.sets.values())
    assert all(set(hub.columns) == set(COLUMNS[task]) for hub in source.sets.values())


def said(persona: list[str], *turns: str) -> dict[str, Any]:
    """A dialogue as the set of persona has it: an utterance a reply, each with all that was said before."""
    replies = range(1, len(turns), 2)
    return {
        "personality": persona,
        "utterances": [{"history": list(turns[:at]), "candidates": ["No.", turns[at]]} for at in replies],
    }


CHAIN = [["a", "b", "c"], ["b", "c"], ["x", "y"], ["c", "b"]]


def serve_personas(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let the hub hold dialogues; what a commit holds is known once it was read, so that is forgotten."""
    load_module(tasks()["persona"].folder / "task.py")._KNOWN.clear()
    return serve(monkeypatch, rows)


def test_personas_are_found_in_a_set_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [said(persona, "Hello?", f"{number}.", "And?", "So.") for number, persona in enumerate(CHAIN)]
    asked = serve_personas(monkeypatch, rows)
    found, source = tasks()["persona"], tasks()["persona"].spec.sources["hub"]
    assert domains_of(found, "hub") == ["persona_0"]
    check_domain("run.yaml", "domains", found, "hub", "persona_0")
    with pytest.raises(UserError, match="domains is 'persona_1'; did you mean 'persona_0'"):
        check_domain("run.yaml", "domains", found, "hub", "persona_1")
    read = read_domain(load_task(found), "hub", "persona_0")
    assert {split: len(its) for split, its in read.items()} == {"test": 1, "dev": 1, "train": 1, "unlabeled": 1}
    told = {row["turns"][0][1]: row for split in ("train", "dev", "test") for row in read[split]}
    assert sorted(told) == ["0.", "1.", "3."]
    assert told["0."]["turns"] == [["Hello?", "0."], ["And?", "So."]]
    assert told["0."]["persona"] == ["a", "b", "c"]
    assert [its["split"] for its in asked] == ["train"], "the set is read once"
    assert source.sets
    assert asked[0]["revision"] == source.sets["persona_chat"].revision
    contents = [fingerprint(domain_content(found, "hub", name)) for name in ("persona_0", "persona_1")]
    assert contents[0] != contents[1]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"utterances": [{"history": ["Hello?"], "candidates": []}]}, "unreadable .IndexError"),
        ({"utterances": [{"history": ["Hello?", "So?"], "candidates": ["Yes."]}]}, "the last turn has no reply"),
        ({"utterances": []}, "a field is empty"),
        ({"personality": [" "]}, "unreadable .*persona"),
    ],
)
def test_dialogues_of_the_hub_that_are_none_are_refused(
    row: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_personas(monkeypatch, [said(["a", "b"], "Hello?", "Yes.") | row])
    with pytest.raises(UserError, match=rf"persona-chat: train row 0: the row is .*{told}"):
        domains_of(tasks()["persona"], "hub")
