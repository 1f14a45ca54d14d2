"""The task persona: who is of one persona, what of the personas stands where, and files that are refused."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.contracts.discover import load_module, tasks
from harness.data.roles import drawn
from harness.data.task import Splits, Task, load_task
from tests.unit.local_tasks import DIALOGUE, first, local_task, read_files

DATA = Path(os.environ.get("HEADSTART_DATA", "-")) / "persona_chat"
FOLDER = tasks()["persona"]
Entry = dict[str, Any]


@cache
def task() -> Task:
    return load_task(FOLDER)


def entry(persona: list[str], *turns: str) -> Entry:
    return {"persona": persona, "dialogue": [[f"Is it {word}?", f"It is {word}."] for word in turns or ("so",)]}


# Two personas: the first's dialogues are joined one to the next, the second's share one sentence with it.
CHAIN = [["a", "b", "c"], ["b", "c", "d"], ["x", "y", "a"], ["c", "d", "e"], ["y", "x"], ["d", "e", "f"], ["x", "y"]]
ENTRIES = [entry(persona, f"w{number}") for number, persona in enumerate(CHAIN)]


def write(folder: Path, entries: Any) -> Path:
    (folder / "test.json").write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return folder


def test_dialogues_that_share_two_sentences_are_of_one_persona(tmp_path: Path) -> None:
    grouped = load_module(FOLDER.folder / "task.py").grouped
    assert grouped(CHAIN) == [[0, 1, 3, 5], [2, 4, 6]]
    assert grouped([["a", "a"], ["a", "a"]]) == [[0], [1]]  # one sentence, however often
    assert task().found(write(tmp_path, ENTRIES)) == ["persona_0", "persona_1"]
    assert task().found(write(tmp_path, [*ENTRIES, entry(["p", "q"])])) == ["persona_0", "persona_1"]  # too small


def test_a_persona_is_cut_by_its_dialogues(tmp_path: Path) -> None:
    write(tmp_path, ENTRIES)
    splits = task().read_local("persona_0", tmp_path)
    assert {split: len(rows) for split, rows in splits.items()} == {"test": 1, "dev": 1, "train": 2, "unlabeled": 2}
    held = [json.dumps(row["turns"]) for split in ("train", "dev", "test") for row in splits[split]]
    assert len(set(held)) == 4
    write(tmp_path, list(reversed(ENTRIES)))  # the file's order decides the name and nothing else
    turned = task().read_local("persona_1", tmp_path)
    assert [row["turns"] for row in turned["test"]] == [row["turns"] for row in splits["test"]]
    assert task().local_content("persona_0", tmp_path) != task().local_content("persona_1", tmp_path)


def talk(dialogue: Any) -> Entry:
    return {"persona": ["a"], "dialogue": dialogue}


BROKEN: dict[str, tuple[Any, str]] = {
    "no JSON": ("[\n{,\n]", r"test.json: line 2: the text is '\{,'; it is no JSON"),
    "cut": (json.dumps(ENTRIES)[:-30], r"line 1: .* no JSON"),
    "an object": ({"persona": []}, "test.json: the file is .*; it is no list of dialogues"),
    "nothing": ([], "it is no list of dialogues, or an empty one"),
    "an entry that is no object": ([*ENTRIES, ["a"]], "entry 8: the entry is .*; it is no object"),
    "a field is missing": ([{"persona": ["a"]}], "entry 1: a field is 'dialogue'"),
    "a persona of nothing": ([entry([])], r"entry 1: the field 'persona' is \[\]; it is empty"),
    "a sentence that is a number": ([entry(["a", 3])], "entry 1: the field 'persona', item 2, is 3; .* of type int"),
    "an empty turn": ([entry(["a"]), talk([["a", " "]])], r"entry 2: the field 'dialogue', item 1"),
    "a turn without reply": ([talk([["a", "b"], ["c"]])], "'dialogue', item 2, is .* list of 1"),
    "a dialogue of one text": ([talk(["a"])], "'dialogue' is 'a'; the last turn has no reply"),
    "turns that are none": ([talk(7)], "'dialogue' is 7; it is no list but of type int"),
    "no persona with enough": ([entry(["a", "b"]), entry(["c", "d"])], "the number of personas is 0; no 3 of its 2"),
    "not UTF-8": (None, "it is not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_files_are_refused(fault: str, tmp_path: Path) -> None:
    content, told = BROKEN[fault]
    if content is None:
        (tmp_path / "test.json").write_bytes(b'[{"persona": ["\xff"]}]')
    else:
        write(tmp_path, content)
    with pytest.raises(UserError, match=told):
        task().found(tmp_path)


def test_a_missing_file_and_an_unknown_persona_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"test\.json.*does not exist"):
        task().found(tmp_path)
    with pytest.raises(UserError, match="a persona is 'persona_7'; did you mean"):
        task().read_local("persona_7", write(tmp_path, ENTRIES))


JSONL: dict[str, Any] = {"format": "jsonl", "columns": {"persona": "about"}}
TURNS = [["Hi.", "Hello."], ["Where?", "Here."]]


def dialogues(folder: Path, reader: dict[str, Any], content: str) -> Splits:
    its = local_task(folder, DIALOGUE, reader)
    return read_files(its, folder, content)


@pytest.mark.parametrize(
    ("reader", "content"),
    [
        (JSONL, json.dumps({"about": ["I am here."], "turns": TURNS}) + "\n"),
        (JSONL, json.dumps({"about": "I am here.", "turns": [text for pair in TURNS for text in pair]}) + "\n"),
        ({"format": "csv", "columns": {"persona": "about"}}, 'about,turns\nI am here.,"Hi.\nHello.\nWhere?\nHere."\n'),
    ],
)
def test_rows_are_read_in_every_way_of_writing_turns(reader: dict[str, Any], content: str, tmp_path: Path) -> None:
    assert first(dialogues(tmp_path, reader, content)) == {"persona": ["I am here."], "turns": TURNS}


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        ("[]", r"line 1: column 'turns' is \[\]; it is empty"),
        ('[["a", "b", "c"]]', r"line 1: column 'turns', item 1, .* list of 3; write a pair"),
        ('[["a", "b"], "c"]', r"line 1: column 'turns'.*"),
        ('["a", "b", "c"]', "line 1: column 'turns' is 'c'; the last turn has no reply"),
        ('[["a", null]]', "line 1: column 'turns', item 1, is None; it is of type NoneType"),
        ('[["a", "\\u200b"]]', "column 'turns', item 1, .* only invisible characters"),
        ("null", "column 'turns' is None; it is missing"),
    ],
)
def test_broken_rows_are_refused(turns: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        dialogues(tmp_path, {"format": "jsonl"}, f'{{"turns": {turns}}}\n')


@cache
def embedded() -> dict[str, Splits]:
    """All personas, each of as many dialogues as the benchmark has."""
    source = FOLDER.spec.sources["embedded"]
    assert source.sizes is not None
    return {name: task().read_embedded(name, source.sizes) for name in source.named}


def held_in(splits: Splits) -> set[str]:
    """What a persona says in all its dialogues, and what is said of it."""
    rows = [row for split in splits.values() for row in split]
    return {text for row in rows for text in [*row["persona"], *(reply for _, reply in row["turns"])]}


def test_no_sentence_of_a_scored_persona_is_learned_from_others() -> None:
    """What a persona says and what is said of it is her own, whatever role she has; the partner's turns are common."""
    source = FOLDER.spec.sources["embedded"]
    assert source.roles is not None
    roles, said = drawn(source.named, source.roles), {name: held_in(its) for name, its in embedded().items()}
    learned = set().union(*(said[name] for name, role in roles.items() if role == "meta_train"))
    tested = set().union(*(said[name] for name, role in roles.items() if role == "meta_test"))
    assert len(tested) > 15 * 100
    assert not tested & learned
    assert sum(map(len, said.values())) == len(set().union(*said.values())), "a sentence of two personas"


def test_embedded_personas_are_as_many_and_as_large_as_they_should_be() -> None:
    assert len(embedded()) == 77
    for splits in embedded().values():
        assert sum(len(splits[split]) for split in ("train", "dev", "test")) >= 8
        assert {tuple(row["persona"]) for row in splits["train"]} == {tuple(splits["test"][0]["persona"])}
        assert len(splits["test"][0]["persona"]) == 5
    assert len({tuple(splits["test"][0]["persona"]) for splits in embedded().values()}) == 77


@pytest.mark.skipif(not DATA.is_dir(), reason="XPersona's files are not below HEADSTART_DATA")
def test_the_real_file_holds_a_hundred_personas() -> None:
    names = task().found(DATA)
    assert len(names) == 100
    sizes = [sum(len(rows) for rows in list(task().read_local(name, DATA).values())[:3]) for name in names]
    assert (min(sizes), max(sizes), sum(sizes)) == (5, 18, 1000)
