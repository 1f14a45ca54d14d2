"""CoNLL files: a token a line with its tag, sentences parted by blank lines.

A line that begins with the reader's `comment` and holds no tag is left out. A line whose token is the reader's
`documents` ends a sentence. Every other line has as many fields as the first, and, where tokens are written
lang:token, the first one's language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.base.errors import bad
from harness.contracts.reader import Conll
from harness.data.files import text_lines
from harness.data.rows import Row, visible
from harness.data.tags import is_tag

DOCUMENT = "-DOCSTART-"  # CoNLL-2003's mark; no text holds it as a word
LANGUAGE = re.compile(r"[A-Za-z]{2,}(-[A-Za-z]+)*")  # en, zh-yue, be-x-old
CALLED = {"tokens": "the token", "tags": "the tag"}
PARTED = {"tab": "a tab", "whitespace": "a tab or spaces"}


@dataclass
class Sentence:
    """The tokens and tags of a sentence, and the line of each."""

    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def sentences(path: Path, reader: Conll, labelled: bool) -> Iterator[Row]:
    """The sentences of a file, with tags where it is `labelled`; raises UserError naming a line that is at fault."""
    lines, sentence = _Lines(path, reader, labelled), Sentence()
    for number, line in enumerate([*text_lines(path), ""], 1):
        fields = lines.fields(line)
        if fields and lines.is_comment(line, fields):
            continue
        if fields and not lines.part_documents(line):
            sentence.tokens.append(lines.token(number, line, fields))
            sentence.tags.append(fields[reader.columns.tag] if labelled else "O")
            sentence.lines.append(lines.where(number))
        elif sentence.tokens:
            values: dict[str, list[str]] = {"tokens": sentence.tokens} | ({"tags": sentence.tags} if labelled else {})
            yield Row(sentence.lines[0], values, CALLED, sentence.lines)
            sentence = Sentence()


class _Lines:
    """The lines of one file: what the first with a token has, the others have too."""

    def __init__(self, path: Path, reader: Conll, labelled: bool) -> None:
        self.path, self.reader, self.labelled = path, reader, labelled
        columns = [reader.columns.token, *([reader.columns.tag] if labelled else [])]
        self.least = max(len(columns), *(place + 1 if place >= 0 else -place for place in columns))
        self.first: tuple[int, int] | None = None  # the first line with a token: its number, how many fields it has
        self.language: str | None = None

    def where(self, number: int) -> str:
        """A line, for a sentence about it."""
        return f"{self.path}: line {number}"

    def fields(self, line: str) -> list[str]:
        """The fields of a line; none where it is blank."""
        if not line.strip(" \t"):
            return []
        if self.reader.separator == "tab":
            return [part.strip(" ") for part in line.split("\t")]
        return re.split("[ \t]+", line.strip(" \t"))

    def is_comment(self, line: str, fields: list[str]) -> bool:
        """Whether a line is a comment, and not a token that happens to begin as one: that has a tag in its place."""
        mark, tag, scheme = self.reader.comment, self.reader.columns.tag, self.reader.scheme
        if mark is None or not line.startswith(mark):
            return False
        as_others = len(fields) == self.first[1] if self.first else scheme != "io"  # of io any word may be a tag
        tagged = self.labelled and -len(fields) <= tag < len(fields) and is_tag(fields[tag], scheme)
        return not (as_others and tagged)

    def part_documents(self, line: str) -> bool:
        """Whether a line stands between two documents."""
        return self.reader.documents is not None and self._begins(line, self.reader.documents)

    def token(self, number: int, line: str, fields: list[str]) -> str:
        """The token of a line; raises UserError where the line is not laid out as the reader says."""
        if self._begins(line, DOCUMENT):
            mend = f"it parts documents; write `documents: {DOCUMENT}` in the reader, so that it is no token"
            raise bad(self.where(number), "the line", line, mend)
        self._check_layout(number, line, fields)
        token = fields[self.reader.columns.token]
        if self.reader.language_prefix:
            self._check_language(number, line, token)
        return self._unprefixed(token)

    def _check_layout(self, number: int, line: str, fields: list[str]) -> None:
        if not visible(line):
            mend = "it holds only invisible characters; empty it to end a sentence, or remove it"
            raise bad(self.where(number), "the line", line, mend)
        wanted = self.first[1] if self.first else max(self.least, len(fields))
        if len(fields) != wanted:
            what = "lang:token and a tag" if self.reader.language_prefix else f"{wanted} fields"
            as_in = f" as in line {self.first[0]}" if self.first else ""
            by = PARTED[self.reader.separator]
            mend = f"it has {len(fields)} of {wanted} fields; write {what}{as_in}, parted by {by}"
            raise bad(self.where(number), "the line", line, mend)
        self.first = self.first or (number, wanted)

    def _check_language(self, number: int, line: str, token: str) -> None:
        language, colon, _ = token.partition(":")
        if colon and self.language is None and LANGUAGE.fullmatch(language):
            self.language = language
        if not colon or language != self.language:
            others = f", as {self.language}:token in the lines before" if self.language else ""
            mend = f"its token has no language before it; write lang:token{others}, or read without `language_prefix`"
            raise bad(self.where(number), "the line", line, mend)

    def _begins(self, line: str, mark: str) -> bool:
        """Whether the first word of a line is `mark`, however the rest is laid out."""
        word = re.split("[ \t]+", line.strip(" \t"))[0]
        return mark in (word, self._unprefixed(word))

    def _unprefixed(self, token: str) -> str:
        return token.partition(":")[2] if self.reader.language_prefix else token
