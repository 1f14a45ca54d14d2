"""JSON lines, CSV, TSV, Parquet and plain lines: every kind of task reads each, and refuses a fault by its place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from harness.base.errors import UserError
from tests.unit.local_tasks import LM, NER, SUMMARIES, first, local_task, read_files

ROWS: dict[str, dict[str, Any]] = {
    NER: {"words": ["Ann", "Lee", "sings"], "ner": ["B-PER", "I-PER", "O"], "more": 3},
    LM: {"body": "One  document.", "more": 3},
    SUMMARIES: {"article": "A long, long text.", "highlights": 'A "short" one.', "more": 3},
}
COLUMNS = {
    NER: {"tokens": "words", "tags": "ner"},
    LM: {"text": "body"},
    SUMMARIES: {"document": "article", "summary": "highlights"},
}
EXAMPLES: dict[str, dict[str, Any]] = {
    NER: {"tokens": ["Ann", "Lee", "sings"], "tags": ["B-PER", "I-PER", "O"]},
    LM: {"text": "One  document."},
    SUMMARIES: {"document": "A long, long text.", "summary": 'A "short" one.'},
}
MINE = {kind: {field: field for field in columns} for kind, columns in COLUMNS.items()}


def as_json(row: dict[str, Any]) -> bytes:
    return (json.dumps(row) + "\n").encode()


def as_table(row: dict[str, Any], separator: str = ",") -> bytes:
    cells = [" ".join(value) if isinstance(value, list) else str(value) for value in row.values()]
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    return f"{separator.join(row)}\n{separator.join(quoted)}\n".encode()


def as_parquet(row: dict[str, Any]) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), sink)
    return bytes(sink.getvalue())


WRITE = {
    "jsonl": as_json, "csv": as_table, "tsv": lambda row: as_table(row, "\t"), "parquet": as_parquet,
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("format_", WRITE)
def test_every_kind_is_read_by_column_names(format_: str, kind: str, tmp_path: Path) -> None:
    task = local_task(tmp_path, kind, {"format": format_, "columns": COLUMNS[kind]})
    splits = read_files(task, tmp_path, WRITE[format_](ROWS[kind]))
    assert first(splits) == EXAMPLES[kind]
    assert [row["id"] for split in ("train", "dev", "test") for row in splits[split]] == [
        "d-train-0", "d-dev-0", "d-test-0",
    ]  # fmt: skip
    assert splits["unlabeled"] == splits["train"]


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("format_", WRITE)
def test_our_own_names_need_no_columns(format_: str, kind: str, tmp_path: Path) -> None:
    task = local_task(tmp_path, kind, {"format": format_})
    assert first(read_files(task, tmp_path, WRITE[format_](EXAMPLES[kind]))) == EXAMPLES[kind]


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_tags_may_be_numbers_of_any_scheme(format_: str, tmp_path: Path) -> None:
    tagging = {"names": ["O", "B-person", "E-person"], "scheme": "bioes", "types": {"person": "PER"}}
    task = local_task(tmp_path, NER, {"format": format_} | tagging)
    row: dict[str, Any] = {"tokens": ["Ann", "Lee", "sings"], "tags": [1, 2, 0]}
    if format_ == "csv":
        row["tags"] = ["1", "2", "0"]
    assert first(read_files(task, tmp_path, WRITE[format_](row))) == EXAMPLES[NER]


@pytest.mark.parametrize("kind", ROWS)
def test_unlabeled_text_of_a_file_of_its_own_needs_no_answers(kind: str, tmp_path: Path) -> None:
    files = {"train": "train", "test": "test", "unlabeled": "more"}
    task = local_task(tmp_path, kind, {"format": "jsonl", "columns": COLUMNS[kind], "files": files})
    (tmp_path / "d").mkdir()
    asked = next(iter(COLUMNS[kind].values()))
    (tmp_path / "d" / "more").write_bytes(as_json({asked: ROWS[kind][asked]}) * 2)
    splits = read_files(task, tmp_path, as_json(ROWS[kind]), ("train", "test"))
    (field,) = set(EXAMPLES[kind]) & set(task.inputs)
    assert splits["unlabeled"] == [{"id": f"d-unlabeled-{place}", field: EXAMPLES[kind][field]} for place in range(2)]
    assert (len(splits["train"]), splits["dev"]) == (1, [])


def test_lists_of_sentences_and_line_ends_become_one_line(tmp_path: Path) -> None:
    task = local_task(tmp_path, SUMMARIES, {"format": "jsonl"})
    row = {"document": ["One.", " Two\r\n three. "], "summary": ["First \n one. ", "Second."]}
    assert first(read_files(task, tmp_path, as_json(row))) == {"document": "One. Two three.", "summary": "First one."}


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n \n"])
def test_json_lines_may_end_open_or_blank(end: bytes, tmp_path: Path) -> None:
    task = local_task(tmp_path, LM, {"format": "jsonl"})
    content = b'\xef\xbb\xbf{"text": "a\xe2\x80\xa8b"}\r\n{"text": "c"}' + end
    assert [row["text"] for row in read_files(task, tmp_path, content)["test"]] == ["a\u2028b", "c"]


def test_a_quoted_cell_may_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    task = local_task(tmp_path, SUMMARIES, {"format": "csv"})
    content = 'summary,document\r\n"a ""b"", c","d\r\ne"\r\n\r\nf,g\r\n'
    rows = read_files(task, tmp_path, content)["test"]
    assert [(row["document"], row["summary"]) for row in rows] == [("d e", 'a "b", c'), ("g", "f")]


def test_quotation_marks_may_be_text_and_columns_places(tmp_path: Path) -> None:
    reader = {"format": "tsv", "quoting": "none", "header": False, "columns": {"document": 3, "summary": 0}}
    task = local_task(tmp_path, SUMMARIES, reader)
    rows = read_files(task, tmp_path, '"a\t1\t*\tb "c\n"d\t0\t\te\n')["test"]
    assert [(row["document"], row["summary"]) for row in rows] == [('b "c', '"a'), ("e", '"d')]


def test_another_separator(tmp_path: Path) -> None:
    task = local_task(tmp_path, SUMMARIES, {"format": "csv", "separator": ";"})
    assert first(read_files(task, tmp_path, "document;summary\na, b;c\n")) == {"document": "a, b", "summary": "c"}


def test_a_cell_may_be_longer_than_pythons_own_limit(tmp_path: Path) -> None:
    task = local_task(tmp_path, LM, {"format": "csv"})
    assert len(first(read_files(task, tmp_path, f"text\n{'a' * 200_000}\n"))["text"]) == 200_000


def test_lines_side_by_side(tmp_path: Path) -> None:
    pair = {"document": "long", "summary": "short"}
    files = {"train": pair, "test": pair, "unlabeled": {"document": "long"}}
    task = local_task(tmp_path, SUMMARIES, {"format": "lines", "files": files})
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "long").write_bytes(b"\xef\xbb\xbfone\xc2\x85 two\r\nthree\r\n")
    (tmp_path / "d" / "short").write_bytes(b"a\nb\n")
    splits = task.read_local("d", tmp_path)
    assert [(row["document"], row["summary"]) for row in splits["test"]] == [("one\x85 two", "a"), ("three", "b")]
    assert [row["document"] for row in splits["unlabeled"]] == ["one\x85 two", "three"]


FAULTS: list[tuple[str, str, str, bytes | str, str]] = [
    ("bad JSON", LM, "jsonl", '{"text": "a"}\n{"text": \n', "train: line 2: the line is .* no JSON .JSONDecodeError"),
    ("cut JSON", LM, "jsonl", '{"text": "a"}\n{"text": "b', "train: line 2: the line is .* no JSON"),
    ("a JSON list", LM, "jsonl", '[{"text": "a"}]\n', "train: line 1: the line is .* no JSON object"),
    ("no such key", LM, "jsonl", '{"text": "a"}\n{"txet": "b"}\n', "line 2: a column is 'text'; did you mean 'txet'"),
    ("a number", LM, "jsonl", '{"text": 3}\n', "line 1: column 'text' is 3; it is no text but of type int"),
    ("null", LM, "jsonl", '{"text": null}\n', "line 1: column 'text' is None; it is missing; write a text"),
    ("an empty text", LM, "jsonl", '{"text": "a"}\n{"text": ""}\n', "line 2: column 'text' is ''; it is empty; fill"),
    ("an invisible text", LM, "jsonl", '{"text": "\\u200b"}\n', "line 1: column 'text' is .* invisible"),
    ("a NUL", LM, "jsonl", '{"text": "a\\u0000"}\n', "line 1: column 'text' is .* NUL character"),
    ("half a pair", LM, "jsonl", '{"text": "a\\ud83d"}\n', "line 1: column 'text' is .* surrogate pair"),
    ("a list of numbers", LM, "jsonl", '{"text": ["a", 1]}\n', "line 1: column 'text', item 2, is 1; .* type int"),
    ("an empty summary", SUMMARIES, "jsonl", '{"document": "a", "summary": [""]}\n', "'summary' is ''; it is empty"),
    ("no list", NER, "jsonl", '{"tokens": "a b", "tags": ["O", "O"]}\n', "column 'tokens' is 'a b'; it is no list but"),
    ("no tokens", NER, "jsonl", '{"tokens": [], "tags": []}\n', "column 'tokens' is .*; it is empty"),
    ("a tag less", NER, "jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}\n', "'tags' is .* 1 items and the tokens"),
    ("an empty token", NER, "jsonl", '{"tokens": ["a", ""], "tags": ["O", "O"]}\n', "column 'tokens', item 2, is ''"),
    ("a number for a tag", NER, "jsonl", '{"tokens": ["a"], "tags": [1]}\n', "'tags', item 1, is 1; .* under `names`"),
    ("a truth for a tag", NER, "jsonl", '{"tokens": ["a"], "tags": [true]}\n', "item 1, is True; it is no text"),
    ("an unknown type", NER, "jsonl", '{"tokens": ["a"], "tags": ["B-ORG"]}\n', "'B-ORG'; use one of the types"),
    ("no such column", LM, "csv", "a,b\n1,2\n", "train: line 1: a column is 'text'; use one of a, b"),
    ("a column twice", LM, "csv", "text,text\n1,2\n", "line 1: a column is 'text'; it stands twice"),
    ("a ragged record", LM, "csv", 'text,b\n1,"2\n3"\n4\n', "line 4: the record is .* 1 fields and line 1 has 2"),
    ("an open quote", LM, "csv", 'text,b\n1,2\n"3,4\n5,6\n', "line 3: the record is .*`quoting: none`"),
    ("text after a quote", LM, "csv", 'text\n"a" b\n', "line 2: the record is .*`quoting: none`"),
    ("a cut table", LM, "csv", "text\na\nb", "line 3: the last line is 'b'; .* cut"),
    ("an empty cell", SUMMARIES, "csv", "document,summary\na,\n", "line 2: column 'summary' is ''; it is empty"),
    ("only a header", LM, "csv", "text\n", "train: the number of examples is 0"),
    ("two spaces between tokens", NER, "csv", "tokens,tags\na  b,O O O\n", "line 2: column 'tokens', item 2, is ''"),
    ("not UTF-8", LM, "csv", b"text\na\n\xff\n", r"train: line 3: the text is .*xff.* not UTF-8"),
    ("no Parquet", LM, "parquet", "text\na\n", "train: the data file is 'train'; it is no Parquet file"),
    ("no such Parquet column", LM, "parquet", as_parquet({"txt": "a"}), "a column is 'text'; did you mean 'txt'"),
    ("a Parquet null", LM, "parquet", as_parquet({"text": None}), "train: row 0: column 'text' is None; it is missing"),
    ("cut Parquet", LM, "parquet", as_parquet({"text": "a"})[:-6], "train: the data file is 'train'; .* broken one"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "format_", "content", "told"), FAULTS, ids=[case[0] for case in FAULTS])
def test_a_fault_is_refused_by_its_place(
    name: str, kind: str, format_: str, content: bytes | str, told: str, tmp_path: Path
) -> None:
    task = local_task(tmp_path, kind, {"format": format_})
    with pytest.raises(UserError, match=told) as refused:
        read_files(task, tmp_path, content)
    assert str(refused.value).startswith(str(tmp_path / "d" / "train"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for format_ in WRITE:
        task = local_task(tmp_path, LM, {"format": format_})
        with pytest.raises(UserError, match="d/train: the data file is 'train'; it does not exist"):
            task.read_local("d", tmp_path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    for format_ in WRITE:
        task = local_task(tmp_path, LM, {"format": format_})
        with pytest.raises(UserError, match="d/train: the data file is 'train'; it may not be read"):
            read_files(task, tmp_path, WRITE[format_]({"text": "a"}))


BLOCKS: list[tuple[str, str, dict[str, Any], str]] = [
    ("an unknown field", LM, {"format": "jsonl", "columns": {"txt": "a"}}, "columns is 'txt'; did you mean 'text'"),
    ("a scheme without tags", LM, {"format": "jsonl", "scheme": "io"}, "reader.scheme is 'io'; causal-lm has no tags"),
    ("a place with a header", LM, {"format": "csv", "columns": {"text": 2}}, "columns is .* change `header`"),
    ("a name without one", LM, {"format": "csv", "header": False, "columns": {"text": "a"}}, "columns is .* from 0"),
    ("no place", LM, {"format": "csv", "header": False}, "reader.columns is {}; name what holds 'text'"),
    ("a field without a file", SUMMARIES, {"format": "lines", "files": {"train": {"document": "a"}, "test": {}}},
        "reader.files is .* name what holds 'summary'"),
    ("a long separator", LM, {"format": "csv", "separator": "||"}, "reader.separator is"),
    ("no test file", LM, {"format": "jsonl", "files": {"train": "a"}}, "reader.*files.test is None; it is missing"),
    ("an unknown key", LM, {"format": "jsonl", "quoting": "none"}, "unknown key .*quoting"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "reader", "told"), BLOCKS, ids=[case[0] for case in BLOCKS])
def test_a_block_that_cannot_serve_is_refused(
    name: str, kind: str, reader: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=told):
        local_task(tmp_path, kind, reader)
