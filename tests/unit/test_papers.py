"""Each file of a paper is checked by itself, and what it names is looked for, with the nearest name in the sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.cli.main import main
from harness.contracts.paper import read_reported
from harness.contracts.papers import papers
from tests import project as use

TABLES = """\
title: A paper
citation: Its authors
tables:
  one:
    title: A table
    task: wikiann
    metric: f1
    rows:
      Their LoRA: lora
      Their head: head
    columns:
      English: en
"""
CLAIMS = """\
claims:
  lora_wins:
    says: LoRA is better.
    task: wikiann
    better: lora
    worse: head
    smallest_difference: 1
"""
REPORTED = """\
table,row,column,value,mark,source
one,Their LoRA,English,50.5,published,Table 1
one,Their head,English,40.5,published,Table 1
two,Another,Mean,1,published,Table 2
"""
FILES = {"tables.yaml": TABLES, "claims.yaml": CLAIMS, "reported.csv": REPORTED}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    use.copy_project(folder)
    return folder


def write_paper(root: Path, file: str = "", old: str = "", new: str = "") -> None:
    """The paper, with a change in one of its files."""
    for name, content in FILES.items():
        assert old in content or name != file
        text = content.replace(old, new, 1) if name == file else content
        use.text(f"papers/sample/{name}", text.encode(errors="surrogateescape"))(root)


def test_a_paper_is_discovered(project: Path) -> None:
    write_paper(project)
    paper = papers(project)["sample"]
    assert paper.tables["one"].rows == {"Their LoRA": "lora", "Their head": "head"}
    assert paper.claims["lora_wins"].better == "lora"


MISTAKES = [
    ("claims.yaml", "task: wikiann", "task: wikian", 4, "claims.lora_wins.task is 'wikian'", "'wikiann'"),
    ("claims.yaml", "better: lora", "better: lorra", 5, "claims.lora_wins.better is 'lorra'", "'lora'"),
    ("claims.yaml", "worse: head", "worse: haed", 6, "claims.lora_wins.worse is 'haed'", "'head'"),
    ("claims.yaml", "worse: head", "worse: lora", 6, "claims.lora_wins.worse is 'lora'", "name another method"),
    ("claims.yaml", "difference: 1", "difference: -1", 7, "smallest_difference is -1", "greater than or equal to 0"),
    ("claims.yaml", "    worse: head", "    wurse: head", 6, "'claims.lora_wins.wurse'", "did you mean 'worse'"),
    ("claims.yaml", "    worse: head\n", "", 2, "claims.lora_wins.worse is None", "add it"),
    ("claims.yaml", "    says", "    budgets: many\n    says", 3, "claims.lora_wins.budgets is 'many'", "write [many]"),
    ("claims.yaml", "    says", "    budgets: [0]\n    says", 3, "claims.lora_wins.budgets.0 is 0", "equal to 1"),
    ("claims.yaml", "claims:", "title: Another\nclaims:", 1, "title is 'Another'", "it belongs to tables.yaml"),
    ("claims.yaml", "claims:", "claim: 1\nclaims:", 1, "unknown key 'claim'", "did you mean 'claims'"),
    ("tables.yaml", "tables:", "claims: {}\ntables:", 3, "claims is {}", "it belongs to claims.yaml"),
    ("tables.yaml", "citation:", "quotation:", 2, "unknown key 'quotation'", "did you mean 'citation'"),
    ("tables.yaml", "title: A paper\n", "", None, "title is None", "add it"),
    ("tables.yaml", "task: wikiann", "task: wikian", 6, "tables.one.task is 'wikian'", "did you mean 'wikiann'"),
    ("tables.yaml", "    task: wikiann\n", "", 10, "tables.one.columns is {'English'", "name their task"),
    ("tables.yaml", "head: head", "head: haed", 10, "tables.one.rows.Their head is 'haed'", "did you mean 'head'"),
    ("tables.yaml", "Their head", "Their haed", 10, "tables.one.rows is 'Their haed'", "did you mean 'Their head'"),
    ("tables.yaml", "English: en", "English: eng", 12, "tables.one.columns.English is 'eng'", "did you mean 'en'"),
    ("tables.yaml", "English", "Englisch", 12, "tables.one.columns is 'Englisch'", "did you mean 'English'"),
    ("reported.csv", "50.5", "high", 2, "value is 'high'", "valid number"),
    ("reported.csv", "40.5,published", "40.5,guessed", 3, "mark is 'guessed'", "'published', 'recreated'"),
    ("reported.csv", "one,Their head", "one,Their LoRA", 3, "is 'one, Their LoRA, English'", "remove one"),
    ("reported.csv", "value", "number", 2, "value is None", "add it"),
    ("reported.csv", "Table 1", "Table \udcff", 2, "the text is b'\\xff'", "save the file as UTF-8"),
    ("reported.csv", "Table 2", "Table 2,b", 4, "'beyond the columns'", "use one of"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "value", "mend"), MISTAKES, ids=[f"{one[0]}: {one[4]}" for one in MISTAKES]
)
def test_the_file_and_the_line_at_fault_are_named(
    file: str, old: str, new: str, line: int | None, value: str, mend: str, project: Path
) -> None:
    write_paper(project, file, old, new)
    with pytest.raises(UserError) as told:
        papers(project)
    sentence = str(told.value)
    where = project / "papers" / "sample" / file
    assert sentence.startswith(f"{where}: line {line}: " if line else f"{where}: ")
    assert value in sentence
    assert mend in sentence


def test_check_reads_papers(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write_paper(project, "claims.yaml", "worse: head", "worse: haed")
    monkeypatch.chdir(project)
    assert main(["check", "--configfile", use.CONFIG]) == 2
    assert "papers/sample/claims.yaml: line 6: claims.lora_wins.worse is 'haed'" in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reported.csv: the file is 'reported.csv'; it does not exist; write it with"):
        read_reported(tmp_path / "reported.csv")
