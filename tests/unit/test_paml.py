"""The files of Persona-Chat's own release as a source of persona: what they hold, and broken ones that are refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.contracts.discover import tasks
from harness.data.roles import as_told
from harness.data.task import Task, load_task

FOLDER = tasks()["persona"]
CLOCKS = ["I mend clocks.", "I have two sisters.", "I like rain."]
BOATS = ["I build boats.", "I am afraid of dogs.", "My father sings."]
SPLITS = ("train", "valid", "test")


@cache
def task() -> Task:
    return load_task(FOLDER)


def talk(persona: list[str], word: str, candidates: bool = True) -> list[str]:
    """The lines of a dialogue of two turns, which says its word."""
    said = [f"your persona: {sentence}" for sentence in persona]
    for turn, reply in ((f"Hello, {word}?", f"Yes, {word}."), ("And then?", f"Then {word} again.")):
        said.append("\t".join([turn, reply, *(["", f"No.|{reply}"] if candidates else [])]))
    return [f"{number} {its}" for number, its in enumerate(said, 1)]


def lines(begin: str = "") -> list[str]:
    """Four dialogues of the one speaker, some of whose sentences each lacks, and three of the other."""
    dialogues = [talk(CLOCKS[:2], f"{begin}{at}") for at in range(3)] + [talk(CLOCKS, f"{begin}3")]
    dialogues += [talk(BOATS, f"{begin}boat {at}", candidates=False) for at in range(3)]
    return [line for its in dialogues for line in its]


def write(folder: Path, changed: list[str] | bytes | None = None, split: str = "test") -> Path:
    """The three files, one of which may hold something else."""
    for name in SPLITS:
        content = changed if changed is not None and name == split else lines(name)
        text = content if isinstance(content, bytes) else "".join(f"{line}\n" for line in content).encode()
        (folder / f"{name}_self_original.txt").write_bytes(text)
    return folder


def test_dialogues_are_read_and_grouped_by_the_sentences_of_their_personas(tmp_path: Path) -> None:
    write(tmp_path)
    roles = task().found(tmp_path)
    assert roles == {
        "train_0": "meta_train", "train_1": "meta_train", "valid_0": "meta_dev", "valid_1": "meta_dev",
        "test_0": "meta_test", "test_1": "meta_test",
    }  # fmt: skip
    assert isinstance(roles, dict)
    assert as_told(roles) == roles
    splits = task().read_local("test_0", tmp_path)
    assert {split: len(rows) for split, rows in splits.items()} == {"test": 1, "dev": 1, "train": 2, "unlabeled": 2}
    whole = [row for split in ("train", "dev", "test") for row in splits[split] if "test3" in row["turns"][0][0]]
    assert [{name: row[name] for name in ("persona", "turns")} for row in whole] == [
        {"persona": CLOCKS, "turns": [["Hello, test3?", "Yes, test3."], ["And then?", "Then test3 again."]]}
    ]
    boats = task().read_local("valid_1", tmp_path)
    assert sorted(row["turns"][0][1] for split in ("train", "dev", "test") for row in boats[split]) == [
        "Yes, validboat 0.", "Yes, validboat 1.", "Yes, validboat 2."
    ]  # fmt: skip
    assert task().local_content("test_0", tmp_path) != task().local_content("test_1", tmp_path)
    assert task().local_content("test_0", tmp_path) != task().local_content("train_0", tmp_path)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    before = task().local_content("test_0", write(tmp_path))
    assert task().local_content("test_0", write(tmp_path, lines("another "))) != before


Fault = Callable[[list[str]], list[str]]


def at(place: int, line: str) -> Fault:
    return lambda its: [*its[: place - 1], line, *its[place:]]


def without(*places: int) -> Fault:
    return lambda its: [line for number, line in enumerate(its, 1) if number not in places]


BROKEN: dict[str, tuple[Fault, str]] = {
    "no number": (at(3, "Hello?\tYes."), r"line 3: the line is 'Hello\?\\tYes\.'; no number begins it"),
    "a blank line": (at(4, ""), "line 4: the line is ''; no number begins it"),
    "a line is missing": (without(6), "line 6: the number is 3; 2 was to come, or 1 with the next dialogue"),
    "a begin is missing": (without(1), "line 1: the number is 2; 1 was to come"),
    "an empty sentence": (at(2, "2 your persona:  "), "line 2: the persona's sentence is ''; it is empty"),
    "a sentence behind turns": (
        at(4, "4 your persona: I sing."),
        r"line 4: the persona's sentence is 'I sing\.'; it stands behind turns",
    ),
    "the partner's persona": (
        at(2, "2 partner's persona: I sing."),
        r"line 2: the line is \"partner's persona: I sing\.\"; it is of the partner's",
    ),
    "no tab": (at(3, "3 Hello? Yes."), r"line 3: the turn is 'Hello\? Yes\.'; it has 1 fields between tabs"),
    "too many tabs": (at(3, "3 a\tb\t\tb|c\td"), "line 3: the turn is .*; it has 5 fields between tabs"),
    "an empty turn": (at(3, "3 \tYes.\t\tYes."), "line 3: the partner's turn is ''; it is empty"),
    "an invisible reply": (at(3, "3 Hello?\t\u200b"), r"line 3: the reply is '\\u200b'; it is empty"),
    "candidates of another line": (
        at(3, "3 Hello?\tYes.\t\tNo.|Never."),
        r"line 3: the reply is 'Yes\.'; it is none of the candidates",
    ),
    "no persona": (lambda its: ["1 Hello?\tYes.", *its], r"line 1: the persona is \[\]; no line of its dialogue"),
    "no turn": (lambda its: [*its, "1 your persona: I sing."], r"line 33: the turns is \[\]; its dialogue has none"),
    "no persona with enough": (lambda its: its[:8], "the number of personas is 0; no 3 of its 2 dialogues are of one"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_files_are_refused(fault: str, tmp_path: Path) -> None:
    breaks, told = BROKEN[fault]
    with pytest.raises(UserError, match=rf"test_self_original\.txt: {told}"):
        task().found(write(tmp_path, breaks(lines())))


BYTES = {
    "cut": (b"1 your persona: I sing.\n2 Hello?\tYe", "line 2: the last line is .*; it has no line end"),
    "not UTF-8": (b"1 your persona: \xff\n", "line 1: the text is .*; it is not UTF-8"),
    "nothing": (b"\n", "line 1: the file is .*; it is empty"),
}


@pytest.mark.parametrize("fault", BYTES)
def test_files_that_are_no_text_are_refused(fault: str, tmp_path: Path) -> None:
    content, told = BYTES[fault]
    with pytest.raises(UserError, match=rf"valid_self_original\.txt: {told}"):
        task().found(write(tmp_path, content, "valid"))


def test_a_missing_file_and_two_layouts_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "valid_self_original.txt").unlink()
    with pytest.raises(UserError, match=r"valid_self_original\.txt.*does not exist"):
        task().found(tmp_path)
    (tmp_path / "test.json").write_text("[]")
    with pytest.raises(UserError, match=r"train_self_original\.txt: .*; test\.json lies beside it"):
        task().found(tmp_path)
    (tmp_path / "test.json").unlink()
    write(tmp_path)
    with pytest.raises(UserError, match=r"a persona is 'test_7'; did you mean"):
        task().read_local("test_7", tmp_path)
