"""Folders of plain text for pretraining: .txt files with a document a line, of which a few are kept apart."""

from __future__ import annotations

from pathlib import Path

from harness.base.errors import NotHere, bad
from harness.base.lines import Where
from harness.data.files import documents

APART = 25  # of so many documents of a file one is not read: losses are measured on it


def text_files(folder: Path, where: Where, field: str) -> list[Path]:
    """The .txt files of a folder by name; raises UserError where there are none, or where one cannot be read."""
    if not folder.is_dir():
        raise NotHere(str(bad(where, field, str(folder), "no such folder exists; name one with .txt files")))
    files = files_of_text(folder)
    if not files:
        raise bad(where, field, str(folder), "it holds no .txt file; put text there, a document a line")
    for file in files:
        documents(file)
    return files


def read_texts(folder: Path, apart: bool = False) -> dict[str, list[str]]:
    """The documents of each file that pretraining reads, or those kept apart: one of APART, the last of them."""
    return {
        file.name: [text for number, text in enumerate(documents(file), 1) if (number % APART == 0) is apart]
        for file in files_of_text(folder)
    }


def files_of_text(folder: Path) -> list[Path]:
    """The .txt files of a folder by name, whatever they hold."""
    return sorted(folder.glob("*.txt"))
