"""WikiText's layouts: articles and their windows from raw files, tokenised files and the hub; what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import datasets
import pytest

from harness.base.errors import UserError
from harness.contracts.discover import load_module, tasks
from harness.data.build import read_domain
from harness.data.files import text_lines
from harness.data.task import Splits, load_task

ARTICLE = " \n = {0} = \n \n {0} is a town . \n = 3 m wide = \n \n = = Past = = \n \n Old {0} burned . \n"
CONTENT = ARTICLE.format("Alta") + ARTICLE.format("Berg")
WINDOWS = [f"= {name} = {name} is a town . = 3 m wide = = = Past = = Old {name} burned ." for name in ("Alta", "Berg")]
NAMES = {"train": "train.txt", "valid": "valid.txt", "test": "test.txt"}


def written(folder: Path, content: str | bytes = CONTENT, name: str = "{}.txt", **others: str | bytes) -> Path:
    """`folder` with a domain of three files, of which `others` have a content of their own."""
    (folder / "d").mkdir()
    for split in NAMES:
        its = others.get(split, content)
        (folder / "d" / name.format(split)).write_bytes(its.encode() if isinstance(its, str) else its)
    return folder


def read(folder: Path) -> Splits:
    return load_task(tasks()["wikitext"]).read_local("d", folder)


def texts(splits: Splits, split: str = "test") -> list[str]:
    return [example["text"] for example in splits[split]]


@pytest.mark.parametrize("name", ["{}.txt", "wiki.{}.raw", "wiki.{}.tokens"])
def test_an_article_is_a_window_under_each_of_the_archives_names(name: str, tmp_path: Path) -> None:
    splits = read(written(tmp_path, name=name))
    assert texts(splits) == WINDOWS
    assert [example["id"] for example in splits["dev"]] == ["d-dev-0", "d-dev-1"]
    assert splits["unlabeled"] == splits["train"]


@pytest.mark.parametrize("end", ["<eos>\n", "<eos> "])
def test_line_ends_may_be_written_out(end: str, tmp_path: Path) -> None:
    content = CONTENT.replace("\n", end).replace("Old", "<unk>").rstrip(" \n") + "\n"
    assert texts(read(written(tmp_path, content))) == [window.replace("Old", "<unk>") for window in WINDOWS]


@pytest.mark.parametrize("count", [1, 879, 880, 881, 2000, 2641])
def test_windows_are_few_and_even_and_hold_every_word_once(count: int, tmp_path: Path) -> None:
    words = [f"w{place}" for place in range(count)]
    content = f" \n = Alta = \n \n {' '.join(words)} \n" + ARTICLE.format("Berg")
    found = texts(read(written(tmp_path, content)))
    limit = load_module(tasks()["wikitext"].folder / "task.py").WORDS
    sizes = [len(window.split()) for window in found[:-1]]
    assert " ".join(found[:-1]).split() == ["=", "Alta", "=", *words]
    assert found[-1] == WINDOWS[1]
    assert len(sizes) == -(-(count + 3) // limit)
    assert max(sizes) - min(sizes) <= 1


def test_the_hubs_rows_are_the_files_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"text": "" if line == " " else line + "\n"} for line in CONTENT.split("\n")[:-1]]
    asked = []

    def load(name: str, configuration: str | None, **options: str) -> datasets.Dataset:
        asked.append((name, configuration, options["split"], options["revision"]))
        return datasets.Dataset.from_list(rows)

    monkeypatch.setattr(datasets, "load_dataset", load)
    splits = read_domain(load_task(tasks()["wikitext"]), "hub", "wikitext-2")
    assert texts(splits) == WINDOWS
    commit = "b08601e04326c79dfdd32d625aee71d232d685c3"
    assert asked[1] == ("Salesforce/wikitext", "wikitext-2-raw-v1", "validation", commit)


BROKEN: list[tuple[str, str | bytes, str]] = [
    ("empty", "", "line 1: the file is .* it is empty"),
    ("blank lines alone", " \n \n", "line 1: the file is .* it is empty"),
    ("cut", CONTENT[:-1], "line 18: the last line is .* the file may be cut"),
    ("not UTF-8", CONTENT.encode() + b"\xe9\n", "line 19: the text is .* it is not UTF-8"),
    ("UTF-16", CONTENT.encode("utf-16"), "line 1: the text is .* it is UTF-16"),
    ("a NUL", CONTENT.replace("Berg", "Be\0g", 1), "line 11: the text is .* it holds a NUL byte"),
    ("carriage returns", CONTENT.replace("\n", "\r"), "line 1: the line end is .* carriage returns alone"),
    ("no title", "A town .\n", "line 1: the line is 'A town .'; no title stands before it"),
    ("begins in an article", " Old . \n" + CONTENT, "line 1: the line is 'Old .'; no title stands before it"),
    ("sections alone", " \n = = Past = = \n \n Old . \n", "line 2: the line is '= = Past = ='; no title stands"),
    ("one line", CONTENT.replace("\n", " ") + "\n", "line 1: the line is .* no title stands before it"),
    ("JSON", '{"text": " = Alta = "}\n', "line 1: the line is .* no title stands before it"),
    ("signs of line ends alone", " <eos> <eos>\n", "the number of articles is 0; it holds none"),
]


@pytest.mark.parametrize(("name", "content", "told"), BROKEN, ids=[case[0] for case in BROKEN])
def test_a_broken_file_is_refused(name: str, content: str | bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"valid\.txt: {told}") as refused:
        read(written(tmp_path, valid=content))
    assert "\n" not in str(refused.value)


def test_a_missing_split_is_refused_by_its_first_name(tmp_path: Path) -> None:
    (written(tmp_path) / "d" / "test.txt").unlink()
    with pytest.raises(UserError, match=r"d/test\.txt: the data file is 'test\.txt'; it does not exist"):
        read(tmp_path)


def test_two_files_of_a_split_are_refused(tmp_path: Path) -> None:
    (written(tmp_path) / "d" / "wiki.train.tokens").write_text(CONTENT)
    with pytest.raises(UserError, match=r"train\.txt: .* wiki\.train\.tokens is there too"):
        read(tmp_path)


def test_the_real_test_file_holds_the_articles_that_it_is_known_for() -> None:
    file = Path(os.environ.get("HEADSTART_DATA", "")) / "wikitext" / "wikitext-2" / "test.txt"
    if not os.environ.get("HEADSTART_DATA") or not file.is_file():
        pytest.skip("wikitext-2 is not below HEADSTART_DATA")
    found = load_module(tasks()["wikitext"].folder / "task.py").articles(text_lines(file), str(file))
    assert len(found) == 60
    assert found[0][0] == "= Robert Boulter ="
    assert sum(len(line.split()) for article in found for line in article) == 241_211
