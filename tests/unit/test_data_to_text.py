"""Records and their texts from files: public layouts with their quirks, rows grouped by record, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from harness.base.errors import UserError
from harness.cli.look import readable
from harness.contracts.config import TaskRun
from harness.contracts.discover import tasks
from harness.contracts.reader import Reader
from harness.data.grammar import Grammar
from harness.data.task import Task, load_task
from tests.unit.local_tasks import LM, RECORDS, SUMMARIES, first, local_task, read_files

JSONL: dict[str, Any] = {"format": "jsonl"}
CSV: dict[str, Any] = {"format": "csv", "columns": {"record": "mr", "references": "ref"}}
E2E: dict[str, Any] = {"format": "e2e"}
WEBNLG: dict[str, Any] = {"format": "webnlg"}
DART: dict[str, Any] = {"format": "dart"}


def task_of(folder: Path, reader: dict[str, Any], **changes: Any) -> Task:
    return local_task(folder, RECORDS, reader, **changes)


def line(record: Any, references: Any) -> str:
    return json.dumps({"record": record, "references": references}) + "\n"


def web(*triples: tuple[str, str, str], lex: tuple[tuple[str, str], ...] = (("One.", "good"),)) -> dict[str, Any]:
    """An entry of WebNLG's, less its number."""
    parts = [dict(zip(("subject", "property", "object"), triple, strict=True)) for triple in triples]
    return {"modifiedtripleset": parts, "lexicalisations": [{"lex": text, "comment": mark} for text, mark in lex]}


def entries(*those: dict[str, Any]) -> str:
    return json.dumps({"entries": [{str(number): entry} for number, entry in enumerate(those, 1)]}, indent=1)


FORMS: list[tuple[str, Any, str]] = [
    ("attributes", {"name": "Lumo", "year": 1920, "colour": None}, "name : Lumo | year : 1920"),
    ("triples", [["Lumo", "made by", "Ann"], ["Ann", "age", 40]], "Lumo : made by : Ann | Ann : age : 40"),
    ("a table", [{"team": "Reds", "points": 2}, {"team": "Blues"}], "team : Reds | points : 2 || team : Blues"),
    ("a text", " name[Lumo],\n year[1920] ", "name[Lumo], year[1920]"),
]


@pytest.mark.parametrize(("what", "record", "wanted"), FORMS, ids=[its[0] for its in FORMS])
def test_records_of_every_form_are_one_line(what: str, record: Any, wanted: str, tmp_path: Path) -> None:
    task = task_of(tmp_path, JSONL)
    assert first(read_files(task, tmp_path, line(record, "It is."))) == {"record": wanted, "references": ["It is."]}


def test_a_parquet_file_holds_lists_and_structures(tmp_path: Path) -> None:
    rows = [{"record": [["a", "b", "c"]], "references": ["One.", "Two."]}]
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    found = first(read_files(task_of(tmp_path, {"format": "parquet"}), tmp_path, bytes(sink.getvalue())))
    assert found == {"record": "a : b : c", "references": ["One.", "Two."]}


def test_rows_with_the_same_record_are_one_example(tmp_path: Path) -> None:
    content = "mr,ref\nx,First.\ny,Other.\nx,Second.\nx,First.\n"
    splits = read_files(task_of(tmp_path, CSV), tmp_path, content)
    assert [(its["record"], its["references"]) for its in splits["train"]] == [
        ("x", ["First.", "Second."]), ("y", ["Other."])]  # fmt: skip
    assert [its["id"] for its in splits["test"]] == ["d-test-0", "d-test-1"]
    lists = line("x", ["First."]) + line("y", "Other.") + line("x", ["Second.", "First."])
    assert read_files(task_of(tmp_path, JSONL), tmp_path, lists)["train"] == splits["train"]


LAYOUTS: list[tuple[str, dict[str, Any], str, list[tuple[str, list[str]]]]] = [
    ("E2E", E2E, "name : A | area : b c||One . \nname : A | area : b c||Two .\nname : B||It .",
     [("name : A | area : b c", ["One .", "Two ."]), ("name : B", ["It ."])]),
    ("WebNLG", WEBNLG, entries(web(("Aarhus_Airport", "runwayLength", '"27"')),
                               web(("A", "b", "C_D"), ("C_D", "e", "F"), lex=(("x", "toFix"), ("Two.", "good"))),
                               web(("A", "b", "C"), lex=(("x", "toFix"),))),
     [('Aarhus Airport : runwayLength : "27"', ["One."]), ("A : b : C D | C D : e : F", ["Two."])]),
    ("DART", DART, json.dumps([{"tripleset": [["A", "EVENING_GOWN", "8.4"]], "annotations": [{"text": "a\tb"}]},
                               {"tripleset": [["A", "EVENING_GOWN", "8.4"]], "annotations": [{"text": "c"}]}]),
     [("A : EVENING GOWN : 8.4", ["a\tb", "c"])]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "reader", "content", "wanted"), LAYOUTS, ids=[its[0] for its in LAYOUTS])
def test_public_layouts_are_read(
    what: str, reader: dict[str, Any], content: str, wanted: list[tuple[str, list[str]]], tmp_path: Path
) -> None:
    splits = read_files(task_of(tmp_path, reader), tmp_path, content)
    assert [(its["record"], its["references"]) for its in splits["test"]] == wanted


ONE = {"tripleset": [["a", "b", "c"]], "annotations": [{"text": "x"}]}
BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("no text behind a record", E2E, "name : A||x\nname : B\n", r"line 2: the line is 'name : B'; no \|\| parts"),
    ("an attribute without a value", E2E, "name : A||x\nname : B | area||y\n",
     r"line 2: the record is 'area'; it is no attribute with its value; write `name : value`"),
    ("a record of nothing", E2E, "||x\n", r"line 1: the record is ''; it is no attribute"),
    ("an empty text", E2E, "name : A||x\nname : A|| \n", r"line 2: the references, item 1, is ' '; .*fill it"),
    ("UTF-16", E2E, "name : A||x\n".encode("utf-16").decode("latin-1"), r"line 1: the text is .*"),
    ("cut JSON", WEBNLG, entries(web(("A", "b", "C")))[:-9], r"line \d+: the line is .* it is no JSON \(.*fetch"),
    ("another layout", WEBNLG, json.dumps([ONE]), r'line 1: the file is .* it is not of this layout; write {"entries"'),
    ("a triple without an object", WEBNLG, entries({"modifiedtripleset": [{"subject": "a", "property": "b"}],
     "lexicalisations": [{"lex": "x", "comment": "good"}]}), r"line 3, entry 1: the entry is .* it has no 'object'"),
    ("no wordings", WEBNLG, entries(web(("a", "b", "c")), web(("a", "b", "c"), lex=())),
     r"line \d+, entry 2: lexicalisations is \[\]; it is no list, or an empty one; fill it"),
    ("DART's list alone", DART, json.dumps(ONE), r"line 1: the file is .* it is not of this layout; write \[...\]"),
    ("two words for a triple", DART, json.dumps([ONE, ONE | {"tripleset": [["a", "b"]]}], indent=1),
     r"line \d+: the record, item 1, is \['a', 'b'\]; it is no triple; write \[subject, relation, object\]"),
    ("a text that is none", DART, json.dumps([ONE | {"annotations": [{"text": 3}]}]),
     r"line 1: the references, item 1, is 3; it is no text but of type int"),
    ("no texts", JSONL, line("a", []), r"line 1: column 'references' is \[\]; it is empty; fill it"),
    ("an empty second text", JSONL, line("a", "x") + line("b", ["x", ""]),
     r"line 2: column 'references', item 2, is ''; it is empty; fill it"),
    ("a record without values", JSONL, line({"name": None}, "x"), r"line 1: column 'record' is .* it holds no value"),
    ("a list in an attribute", JSONL, line({"a": ["b"]}, "x"), r"line 1: column 'record' is \['b'\]; it is no text"),
    ("a truth value", JSONL, line({"open": True}, "x"), r"line 1: column 'record' is True; it is no text but of type"),
    ("no such column", CSV, "mr,text\na,b\n", r"line 1: a column is 'ref'; use one of mr, text"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "reader", "content", "told"), BROKEN, ids=[its[0] for its in BROKEN])
def test_a_broken_file_is_refused(what: str, reader: dict[str, Any], content: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        read_files(task_of(tmp_path, reader), tmp_path, content)
    assert re.search(told, str(refused.value))
    assert str(tmp_path / "d" / "train") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_one_file_is_divided_by_its_records(tmp_path: Path) -> None:
    """Whatever split a record falls into, all its wordings do, in any order of the rows."""
    rows = [line(f"record {number}", f"text {wording}") for wording in range(2) for number in range(200)]
    files = {"train": "all", "dev": "all", "test": "all"}
    task = task_of(tmp_path, JSONL | {"files": files, "shares": {"train": 70, "dev": 10, "test": 20}})
    splits = read_files(task, tmp_path, "".join(rows), ("all",))
    held = {split: {its["record"] for its in splits[split]} for split in ("train", "dev", "test")}
    assert sum(map(len, held.values())) == len(set().union(*held.values())) == 200
    assert [round(len(its) / 20) for its in held.values()] == [7, 1, 2]
    assert all(len(its["references"]) == 2 for split in held for its in splits[split])
    again = read_files(task, tmp_path, "".join(reversed(rows)), ("all",))
    assert {its["record"] for its in again["test"]} == held["test"]


def test_shares_beyond_the_whole_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="they are 110 of 100 together; lower one"):
        task_of(tmp_path, JSONL | {"shares": {"train": 90, "test": 20}})
    assert Reader(shares={"train": 60, "test": 40}).share_of("test") == range(60, 100)


def test_unlabeled_text_of_a_file_of_its_own_is_prose(tmp_path: Path) -> None:
    for reader, more in ((E2E, "Some prose.\n"), (JSONL, '{"text": "Some prose."}\n')):
        files = {"train": "train", "test": "test", "unlabeled": "more"}
        task = task_of(tmp_path, reader | {"files": files})
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / "more").write_text(more)
        content = "name : A||x\n" if reader is E2E else line({"name": "A"}, "x")
        splits = read_files(task, tmp_path, content, ("train", "test"))
        assert splits["unlabeled"] == [{"id": "d-unlabeled-0", "text": "Some prose."}]
        assert task.text(splits["unlabeled"][0]) == "Some prose."
        assert task.text(splits["train"][0]) == "name : A"  # never a text that is to be learned


def test_generation_is_the_tasks_and_the_runs(tmp_path: Path) -> None:
    task = task_of(tmp_path, JSONL, generation={"num_beams": 10, "no_repeat_ngram_size": 4, "length_penalty": 0.9})
    task.generate_by(TaskRun(generation={"num_beams": 2}).generation.said())  # type: ignore[arg-type]
    assert task.generation is not None
    said = task.generation.described(8)
    assert (said["num_beams"], said["no_repeat_ngram_size"], said["length_penalty"]) == (2, 4, 0.9)
    with pytest.raises(UserError, match="`generation` is for kinds whose answers are texts; remove it"):
        local_task(tmp_path, LM, JSONL, generation={"num_beams": 2})
    assert local_task(tmp_path, SUMMARIES, JSONL).generation.num_beams == 4  # type: ignore[union-attr]


def test_a_prediction_is_shown_beside_every_reference() -> None:
    shown = readable({"id": "a", "record": "name : A", "references": ["One.", "Two."], "predicted": "Three."})
    assert [line.split() for line in shown.splitlines()] == [
        ["input", "name", ":", "A"], ["gold", "One."], ["gold", "Two."], ["predicted", "Three."]]  # fmt: skip


RECORD: dict[str, Any] = {
    "bind": {"a": "name", "b": "word"},
    "fields": {"a": "name : {a}", "b": "size : {b}", "c": "also : {b}"},
    "layouts": [["a"], ["a", "b"], ["a", "b", "c"], ["a", "c"]],
    "sentences": [
        {"of": ["a"], "frames": ["This is {a}."]},
        {"of": ["b"], "frames": ["It is {b}."]},
        {"of": ["c"], "frames": ["It is also {b}."]},
        {"of": ["b", "c"], "frames": ["It is {b} twice."]},
    ],
}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("a field that no text says", {"layouts": [*RECORD["layouts"], ["b", "a", "d"]]}, "layouts is 'd'"),
    ("an order that no text has", {"sentences": RECORD["sentences"][:1]}, "no sentences tell of these fields"),
    ("a layout twice", {"layouts": [*RECORD["layouts"], ["a"]]}, "it stands twice; remove one"),
    ("few layouts", {"layouts": RECORD["layouts"][:3]}, "give at least 4 alternatives"),
    ("a value that is drawn twice", {"fields": RECORD["fields"] | {"b": "size : {word}"}}, "'word' is not bound"),
    ("a list that is none", {"bind": RECORD["bind"] | {"b": "colour"}}, "bind is 'colour'; name a list"),
]


def grammar_of(**changes: Any) -> Grammar:
    names = {"entities": {"name": ["Ann", "Bo", "Cy", "Di"]}, "words": {"word": ["big", "small"]}}
    return Grammar(names | {"records": [RECORD | changes]}, "grammar.yaml")


@pytest.mark.parametrize(("what", "changes", "told"), WRONG, ids=[its[0] for its in WRONG])
def test_a_grammar_of_records_that_cannot_be_is_refused(what: str, changes: dict[str, Any], told: str) -> None:
    grammar_of()
    with pytest.raises(UserError) as refused:
        grammar_of(**changes)
    assert told in str(refused.value)


def test_a_text_says_what_the_record_holds_in_its_order() -> None:
    grammar = grammar_of()
    ways = grammar.records[0].tellings(["a", "b", "c"])
    assert sorted([told.of for told in way] for way in ways) == [[["a"], ["b"], ["c"]], [["a"], ["b", "c"]]]


def test_the_tasks_layouts_are_read_as_the_papers_have_them(tmp_path: Path) -> None:
    task = load_task(tasks()["nlg"])
    readers = task.spec.sources["local"].readers
    assert {name: reader.format for name, reader in readers.items()} == {
        "e2e": "e2e",
        "webnlg": "webnlg",
        "dart": "dart",
    }
