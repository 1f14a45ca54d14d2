"""CoNLL files: layouts and tag schemes are read into one, and what is odd is refused by its true fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UserError
from tests.unit.local_tasks import LM, NER, local_task, read_files

RAHIMI = {"separator": "tab", "language_prefix": True, "columns": {"token": 0, "tag": 1}}
Sentences = list[tuple[list[str], list[str]]]


def read(folder: Path, content: bytes | str, **reader: Any) -> Sentences:
    """The sentences of a file's test split."""
    task = local_task(folder, NER, {"format": "conll"} | reader)
    return [(row["tokens"], row["tags"]) for row in read_files(task, folder, content)["test"]]


ANNA = [(["Anna", "runs"], ["B-PER", "O"]), (["Rome"], ["B-LOC"])]
PLAIN = "xx:Anna\tB-PER\nxx:runs\tO\n\nxx:Rome\tB-LOC\n"
READ: dict[str, bytes] = {
    "plain": PLAIN.encode(),
    "Windows line ends": PLAIN.replace("\n", "\r\n").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "a byte order mark before a blank line": b"\xef\xbb\xbf\n" + PLAIN.encode(),
    "a blank line of spaces": PLAIN.replace("\n\n", "\n  \n").encode(),
    "a blank line of a tab": PLAIN.replace("\n\n", "\n\t\n").encode(),
    "many blank lines": f"\n\n{PLAIN}\n\n\n".encode(),
    "a space after the tag": PLAIN.replace("B-PER", "B-PER ").encode(),
}


@pytest.mark.parametrize("name", READ)
def test_variants_of_one_file_are_read_the_same(name: str, tmp_path: Path) -> None:
    assert read(tmp_path, READ[name], **RAHIMI) == ANNA


def test_only_line_ends_end_a_line(tmp_path: Path) -> None:
    odd = "xx:a\u2028b\tO\nxx:c\x85d\tO\nxx:e\x0cf\tO\nxx:\u200fAnna\tB-PER\n"
    assert read(tmp_path, odd, **RAHIMI) == [(["a\u2028b", "c\x85d", "e\x0cf", "\u200fAnna"], ["O", "O", "O", "B-PER"])]


REFUSED: list[tuple[str, bytes, str]] = [
    ("old Mac line ends", PLAIN.replace("\n", "\r").encode(), r"line 1: the line end is '\\r'; it ends lines with"),
    ("UTF-16", PLAIN.encode("utf-16"), "line 1: the text is .* it is UTF-16; save it as UTF-8"),
    ("UTF-16 without a mark", PLAIN.encode("utf-16-le"), "line 1: the text is .* NUL byte, as UTF-16"),
    ("a NUL byte", b"xx:a\tO\nxx:b\x00\tO\n", "line 2: the text is .* NUL byte"),
    ("no language", b"12:30\tO\n", r"line 1: the line is '12:30\\tO'; .* no language .* write lang:token"),
    ("no language later", b"xx:a\tO\n12:30\tO\n", r"line 2: the line is '12:30\\tO'; .* as xx:token"),
    ("no language and no colon", b"Anna\tB-PER\n", "line 1: the line is .* write lang:token, or read"),
    ("spaces for a tab", b"xx:Anna B-PER\n", "line 1: the line is .* 1 of 2 fields; .* parted by a tab"),
    ("a field more", b"xx:a\tO\nxx:b\tO\tO\n", "line 2: the line is .* 3 of 2 fields; .* as in line 1"),
    ("an empty token", b"xx:a\tO\nxx:\tO\n", "line 2: the token is ''; it is empty"),
    ("a token of a space", b"xx:a\tO\nxx: \tO\n", "line 2: the token is ''; it is empty"),
    ("a no-break space", "xx:a\tO\nxx:\xa0\tO\n".encode(), r"line 2: the token is '\\xa0'; .* invisible"),
    ("a zero-width space", "xx:a\tO\nxx:\u200b\tO\n".encode(), r"line 2: the token is '\\u200b'; .* invisible"),
    ("a line of a zero-width space", "xx:a\tO\n\u200b\nxx:b\tO\n".encode(), r"line 2: the line is '\\u200b'; .* end a"),
    ("an empty tag", b"xx:a\tO\nxx:b\t\n", "line 2: the tag is ''; it is empty"),
    ("a document mark", b"-DOCSTART- -X- O O\n\nxx:a\tO\n", "line 1: the line is .* `documents: -DOCSTART-`"),
    ("a document mark in the layout", b"xx:-DOCSTART-\tO\n", "line 1: the line is .* `documents: -DOCSTART-`"),
    ("BIOES", b"xx:a\tO\nxx:b\tS-PER\n", "line 2: the tag is 'S-PER'; .* scheme bioes .* `scheme: bioes`"),
    ("BILOU", b"xx:a\tO\nxx:b\tU-PER\n", "line 2: the tag is 'U-PER'; .* `scheme: bilou`"),
    ("IO", b"xx:a\tO\nxx:b\tPER\n", "line 2: the tag is 'PER'; .* `scheme: io`"),
    ("IOB1", b"xx:a\tO\nxx:b\tI-PER\n", "line 2: the tag is 'I-PER'; no PER begins .* `scheme: iob1`"),
    ("another type goes on", b"xx:a\tB-LOC\nxx:b\tI-PER\n", "line 2: the tag is 'I-PER'; no PER begins before it"),
    ("it goes on from a sentence before", b"xx:a\tB-PER\n\nxx:b\tI-PER\n", "line 3: the tag is 'I-PER'"),
    ("small letters", b"xx:a\tb-per\n", "line 1: the tag is 'b-per'; use one of O, B-PER, I-PER, B-LOC, I-LOC"),
    ("an unknown type", b"xx:a\tB-MISC\n", "line 1: the tag is 'B-MISC'; use one of the types PER, LOC, or .* `types`"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "told"), REFUSED, ids=[case[0] for case in REFUSED])
def test_odd_files_are_refused_by_their_true_fault(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"train: {told}"):
        read(tmp_path, content, **RAHIMI)


SCHEMES: dict[str, tuple[str, str]] = {
    "iob2": ("B-PER I-PER B-PER O B-LOC", "B-PER I-PER B-PER O B-LOC"),
    "iob1": ("I-PER I-PER B-PER O I-LOC", "B-PER I-PER B-PER O B-LOC"),
    "bioes": ("B-PER E-PER S-PER O B-LOC I-LOC E-LOC", "B-PER I-PER B-PER O B-LOC I-LOC I-LOC"),
    "bilou": ("B-PER L-PER U-PER O B-LOC I-LOC L-LOC", "B-PER I-PER B-PER O B-LOC I-LOC I-LOC"),
    "io": ("PER PER O PER LOC O", "B-PER I-PER O B-PER B-LOC O"),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_are_read_as_iob2(scheme: str, tmp_path: Path) -> None:
    theirs, ours = (text.split() for text in SCHEMES[scheme])
    content = "".join(f"w{place} {tag}\n" for place, tag in enumerate(theirs))
    assert read(tmp_path, content, scheme=scheme) == [([f"w{place}" for place in range(len(ours))], ours)]


def test_iob1_reads_iob2_and_lost_beginnings_too(tmp_path: Path) -> None:
    assert read(tmp_path, "a B-PER\nb I-PER\nc I-LOC\nd B-LOC\n", scheme="iob1") == [
        (["a", "b", "c", "d"], ["B-PER", "I-PER", "B-LOC", "B-LOC"])
    ]


@pytest.mark.parametrize(
    ("scheme", "tags", "told"),
    [
        ("bioes", ["B-PER", "O"], "line 1: the tag is 'B-PER'; no PER ends after it, as bioes asks"),
        ("bioes", ["B-PER", "S-PER"], "line 1: the tag is 'B-PER'; no PER ends"),
        ("bioes", ["O", "B-PER"], "line 2: the tag is 'B-PER'; no PER ends"),
        ("bioes", ["S-PER", "E-PER"], "line 2: the tag is 'E-PER'; no PER begins"),
        ("bilou", ["B-PER", "L-LOC"], "line 1: the tag is 'B-PER'; no PER ends"),
        ("bilou", ["O", "I-PER"], "line 2: the tag is 'I-PER'; no PER begins"),
        ("bilou", ["S-PER"], "line 1: the tag is 'S-PER'; it is of the scheme bioes"),
    ],
)
def test_a_broken_entity_is_refused(scheme: str, tags: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        read(tmp_path, "".join(f"w {tag}\n" for tag in tags), scheme=scheme)


def test_columns_from_either_end_by_any_white_space(tmp_path: Path) -> None:
    content = "1 \t Anna  NNP\tB-PER \n2 runs VBZ O\n"
    assert read(tmp_path, content, columns={"token": 1, "tag": -1}) == [(["Anna", "runs"], ["B-PER", "O"])]
    assert read(tmp_path, content, columns={"token": -3, "tag": 3}) == [(["Anna", "runs"], ["B-PER", "O"])]


def test_document_marks_end_a_sentence_and_are_no_token(tmp_path: Path) -> None:
    content = "-DOCSTART- O\nAnna B-PER\n-DOCSTART- -X- O\nruns O\n"
    found = read(tmp_path, content, documents="-DOCSTART-")
    assert found == [(["Anna"], ["B-PER"]), (["runs"], ["O"])]


def test_comments_are_left_out_and_words_that_look_like_them_are_not(tmp_path: Path) -> None:
    content = "# id 7\n#love O\nAnna B-PER\n# a note\n# O\n"
    assert read(tmp_path, content, comment="#") == [(["#love", "Anna", "#"], ["O", "B-PER", "O"])]
    assert read(tmp_path, "# a b\nAnna PER\n# c d\n# O\n", comment="#", scheme="io") == [
        (["Anna", "#"], ["B-PER", "O"])
    ]


def test_types_are_mapped_and_dropped(tmp_path: Path) -> None:
    content = "a B-person\nb I-person\nc B-event\nd I-event\ne B-LOC\n"
    found = read(tmp_path, content, types={"person": "PER", "event": None})
    assert found == [(["a", "b", "c", "d", "e"], ["B-PER", "I-PER", "O", "O", "B-LOC"])]


def test_unlabeled_text_needs_no_tags(tmp_path: Path) -> None:
    files = {"train": "train", "test": "test", "unlabeled": "more"}
    task = local_task(tmp_path, NER, {"format": "conll", "files": files})
    read_more = "one\ntwo\n\nthree\n"
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "more").write_text(read_more)
    splits = read_files(task, tmp_path, "Anna B-PER\n", ("train", "test"))
    assert [row["tokens"] for row in splits["unlabeled"]] == [["one", "two"], ["three"]]
    assert splits["dev"] == []


@pytest.mark.parametrize(
    ("kind", "reader", "told"),
    [
        (LM, {"format": "conll"}, "reader.format is 'conll'; it holds tokens and tags, and causal-lm needs text"),
        (NER, {"format": "conll", "scheme": "bio"}, "reader.scheme is 'bio'; .*'bioes'"),
        (NER, {"format": "conll", "types": {"a": "PERS"}}, "reader.types.a is 'PERS'; did you mean 'PER'"),
        (NER, {"format": "conll", "column": {}}, "unknown key .*reader.column.* did you mean 'columns'"),
        (NER, {"format": "conll", "separator": ","}, "reader.separator is ','; it should be 'tab' or 'whitespace'"),
        (NER, {"format": "connl"}, "reader is .* 'conll'"),
    ],
)
def test_a_reader_that_cannot_serve_is_refused(kind: str, reader: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        local_task(tmp_path, kind, reader)


def test_a_file_without_a_sentence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train: the number of examples is 0; the file holds none"):
        read(tmp_path, "# a\n\n# b\n", comment="#")
