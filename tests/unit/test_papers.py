"""Each file of a paper is checked by itself, and what it names is looked for, with the nearest name in the sentence."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.cli.asked import plan_asked
from harness.cli.asked_table import plan_table
from harness.cli.main import main
from harness.contracts.papers import papers
from harness.contracts.reported import read_reported
from harness.paper.effects import contradiction
from tests import project as use

DOMAINS = {"en": "meta_train", "nl": "meta_test"}
PAPER = """\
title: A paper
citation: Its authors
tasks_to_come: [later]
settings:
  one:
    backbone: [bert-base]
    data: WikiAnn
    metric: f1
"""
TABLES = """\
tables:
  one:
    title: A table
    task: wikiann
    metric: f1
    rows:
      Their LoRA: lora
      Their head: head
      Their oracle: {none: it reads the answer}
      Ours: {method: bitfit, ours: true}
    columns:
      English: en
      Mean: {mean: true}
    groups:
      Small: [Their LoRA, Their head]
  later:
    title: A table of a task that does not exist yet
    task: later
    metric: f1
    rows: {Their LoRA: lora}
    columns: {Any: domain}
"""
FIGURES = """\
figures:
  curve:
    title: A curve
    kind: budgets
    task: wikiann
    reported: points
    axis: k
    lines: {Their LoRA: lora}
"""
CLAIMS = """\
claims:
  lora_wins:
    says: LoRA is better.
    where: {place: Table 1, status: seen}
    reported:
      - {table: one, more: Their LoRA, less: Their head, column: English}
    kind: better
    methods: [lora, head]
    on:
      task: wikiann
      metric: f1
    scale: difference
    smallest: 1
    why: we say so
"""
REPORTED = """\
table,row,column,metric,value,uncertainty,mark,source
one,Their LoRA,English,f1,50.50,0.2,own,Table 1
one,Their head,English,f1,40.5,,own,Table 1
one,Their oracle,Mean,f1,99,,own,Table 1
points,Their LoRA,k=8,f1,9,,digitised,Figure 1
"""
FILES = {
    "paper.yaml": PAPER, "tables.yaml": TABLES, "figures.yaml": FIGURES, "claims.yaml": CLAIMS,
    "reported.csv": REPORTED,
}  # fmt: skip


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
    table = paper.tables["one"]
    assert [row.method for row in table.rows.values()] == ["lora", "head", None, "bitfit"]
    assert paper.claims["lora_wins"].pairs == [("lora", "head")]
    assert paper.numbers("one")["Their LoRA", "English"].digits == 2
    assert paper.setting("one", table.setting) == paper.settings["one"]


def test_a_project_may_be_without_papers(project: Path, tmp_path: Path) -> None:
    for name in ("methods", "tasks"):
        (tmp_path / name).symlink_to(project / name)
    assert papers(tmp_path) == {}


def test_an_order_compares_what_follows_each_other(project: Path) -> None:
    write_paper(
        project,
        "claims.yaml",
        "kind: better\n    methods: [lora, head]",
        "kind: order\n    methods: [lora, [head, ia3], bitfit]",
    )
    pairs = [("lora", "head"), ("lora", "ia3"), ("head", "bitfit"), ("ia3", "bitfit")]
    assert papers(project)["sample"].claims["lora_wins"].pairs == pairs


METHODS, ON = "methods: [lora, head]", "      metric: f1\n"
MISTAKES = [
    ("claims.yaml", "task: wikiann", "task: wikian", 10, "claims.lora_wins.on.task is 'wikian'", "'wikiann'"),
    ("claims.yaml", "metric: f1", "metric: f2", 11, "claims.lora_wins.on.metric is 'f2'", "wikiann is scored by f1"),
    ("claims.yaml", ON, ON + "      domains: [xx]\n", 12, "on.domains is 'xx'", "use one of"),
    ("claims.yaml", METHODS, "methods: [lorra, head]", 8, "claims.lora_wins.methods is 'lorra'", "'lora'"),
    ("claims.yaml", METHODS, "methods: [lora@rank=4, haed]", 8, "claims.lora_wins.methods is 'haed'", "'head'"),
    ("claims.yaml", METHODS, "methods: [lora, lora]", 2, "stands twice", "name another method"),
    ("claims.yaml", METHODS, "methods: [lora]", 2, "claims.lora_wins", "names 2 methods"),
    ("claims.yaml", "kind: better", "kind: cost", 2, "`costs`", "needs it"),
    ("claims.yaml", "kind: better", "kind: trend", 2, "claims.lora_wins", "names 1 methods"),
    ("claims.yaml", "smallest: 1", "smallest: 0", 13, "smallest is 0", "greater than 0"),
    ("claims.yaml", "    methods:", "    mathods:", 8, "'claims.lora_wins.mathods'", "did you mean 'methods'"),
    ("claims.yaml", "    why: we say so\n", "", 2, "claims.lora_wins.why is None", "add it"),
    ("claims.yaml", ON, ON + "      budgets: [0]\n", 12, "on.budgets.0 is 0", "equal to 1"),
    ("claims.yaml", "status: seen", "status: heard", 4, "where.status is 'heard'", "'seen'"),
    ("claims.yaml", "table: one", "table: won", 6, "reported.0.table is 'won'", "'one'"),
    ("claims.yaml", "less: Their head", "less: Their haed", 6, "reported.0.less is 'Their haed'", "'Their head'"),
    ("claims.yaml", "column: English", "column: Mean", 6, "column is 'Mean'", "use one of English"),
    ("claims.yaml", ", less: Their head", "", 6, "claims.lora_wins.reported.0", "name `more` and `less`"),
    ("claims.yaml", "claims:", "title: Another\nclaims:", 1, "title is 'Another'", "it belongs to paper.yaml"),
    ("claims.yaml", "claims:", "claim: 1\nclaims:", 1, "unknown key 'claim'", "did you mean 'claims'"),
    ("claims.yaml", "  lora_wins:", "  lora wins:", 2, "claims is 'lora wins'", "use letters, digits"),
    ("paper.yaml", "settings:", "claims: {}\nsettings:", 4, "claims is {}", "it belongs to claims.yaml"),
    ("paper.yaml", "citation:", "quotation:", 2, "unknown key 'quotation'", "did you mean 'citation'"),
    ("paper.yaml", "title: A paper\n", "", None, "title is None", "add it"),
    ("paper.yaml", "backbone: [bert-base]", "backbone: []", 6, "settings.one.backbone is []", "at least 1 item"),
    ("tables.yaml", "tables:", "figures: {}\ntables:", 1, "figures is {}", "it belongs to figures.yaml"),
    ("tables.yaml", "task: wikiann", "task: wikian", 4, "tables.one.task is 'wikian'", "did you mean 'wikiann'"),
    ("tables.yaml", "    task: wikiann\n", "", 11, "tables.one.columns is 'English'", "name its task"),
    ("tables.yaml", "head: head", "head: haed", 8, "tables.one.rows.Their head is 'haed'", "did you mean 'head'"),
    ("tables.yaml", "English: en\n", "English: en\n      Best: en\n", 13, "tables.one.columns is 'Best'", "use one of"),
    ("tables.yaml", "bitfit, ours: true", "bitfit", 10, "tables.one.rows is 'Ours'", "only `ours: true` allows"),
    ("tables.yaml", "head: head", "head: none", 8, "Their head is 'none'", "{none: why}"),
    ("tables.yaml", "Mean: {mean: true}", "Mean: mean", 13, "columns.Mean is 'mean'", "{mean: true}"),
    ("tables.yaml", "metric: f1", "metric: recall", 5, "tables.one.metric is 'recall'", "wikiann is scored by f1"),
    ("tables.yaml", "[Their LoRA, Their head]", "[Their LoRA, Their oracle]", 15, "groups is 'Small'", "order them"),
    ("tables.yaml", "columns: {Any: domain}", "columns: {}", 21, "tables.later.columns is {}", "at least 1 item"),
    ("figures.yaml", "axis: k", "axis: k\n    metric: loss", 8, "metric is 'loss'", "wikiann is scored by f1"),
    ("paper.yaml", "settings:\n  one:", "settings:\n  won:", 5, "settings is 'won'", "did you mean 'one'"),
    ("tables.yaml", "English: en", "English: eng", 12, "tables.one.columns.English is 'eng'", "did you mean 'en'"),
    ("tables.yaml", "English", "Englisch", 12, "tables.one.columns is 'Englisch'", "did you mean 'English'"),
    ("tables.yaml", "{mean: true}", "{mean: true, domain: en}", 13, "tables.one.columns.Mean", "exactly one of"),
    ("tables.yaml", "[Their LoRA, Their head]", "[LoRA]", 15, "tables.one.groups.Small is 'LoRA'", "Their LoRA"),
    ("tables.yaml", "  later:", "  la/ter:", 16, "tables is 'la/ter'", "use letters, digits"),
    ("tables.yaml", "  later:", "  claims:", 16, "tables is 'claims'", "none of claims"),
    ("tables.yaml", "task: later", "task: never", 18, "tables.later.task is 'never'", "use one of"),
    ("tables.yaml", "    metric: f1\n", "    metric: f1\n    setting: won\n", 6, "tables.one.setting is", "'one'"),
    ("figures.yaml", "  curve:", "  one:", 2, "figures is 'one'", "a table has this name"),
    ("figures.yaml", "axis: k", "axis: n", 6, "figures.curve.reported is 'points'", "no points n=..."),
    ("figures.yaml", "Their LoRA", "Their lora", 8, "figures.curve.lines is 'Their lora'", "'Their LoRA'"),
    ("figures.yaml", "kind: budgets", "kind: bars", 4, "figures.curve.kind is 'bars'", "'steps', 'budgets'"),
    ("reported.csv", "50.50", "high", 2, "value is 'high'", "a decimal point alone"),
    ("reported.csv", "50.50", '"50,5"', 2, "value is '50,5'", "no comma"),
    ("reported.csv", "50.50", "50,5", 2, "the number of fields is 9", "the columns are 8"),
    ("reported.csv", "50.50", "5_0", 2, "value is '5_0'", "a decimal point alone"),
    ("reported.csv", "50.50", "5e1", 2, "value is '5e1'", "power of ten"),
    ("reported.csv", "50.50", "", 2, "value is ''", "a place without a number has no line"),
    ("reported.csv", "0.2", "±0.2", 2, "uncertainty is '±0.2'", "what stands behind ±"),
    ("reported.csv", "own", "guessed", 2, "mark is 'guessed'", "'own', 'quoted'"),
    ("reported.csv", "one,Their head", "one,Their LoRA", 3, "is 'one, Their LoRA, English'", "remove one"),
    ("reported.csv", "value", "number", 1, "a column is 'number'", "use one of column, mark"),
    ("reported.csv", "value", "digits", 1, "a column is 'digits'", "use one of column, mark"),
    ("reported.csv", "metric,value", "metric,metric", 1, "a column is 'metric'", "it stands twice"),
    ("reported.csv", ",source", "", 1, "a column is 'source'", "it is missing"),
    ("reported.csv", REPORTED.splitlines()[0], "table;row", 1, "a column is 'table;row'", "commas between them"),
    ("reported.csv", "own,Table 1", "own,", 2, "source is ''", "at least 1 character"),
    ("reported.csv", "own,Table 1", "own", 2, "the number of fields is 7", "the columns are 8"),
    ("reported.csv", "Table 1", "Table \udcff", 2, "the text is b'\\xff'", "save the file as UTF-8"),
    ("reported.csv", "Figure 1", "Figure 1,b", 5, "the number of fields is 9", "in quotes"),
    ("reported.csv", "Figure 1", "Figure 1\nsix,A,B,f1,1,,own,T", 6, "table is 'six'", "no table of tables.yaml"),
    ("reported.csv", "Figure 1", "Figure 1\none,A,Mean,f1,1,,own,T", 6, "row is 'A'", "one does not show it"),
    ("reported.csv", "Figure 1", "Figure 1\none,Their head,B,f1,1,,own,T", 6, "column is 'B'", "does not show it"),
    ("reported.csv", "Figure 1", "Figure 1\npoints,Their LoRA,n=1,f1,1,,own,T", 6, "column is 'n=1'", "this axis"),
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
    write_paper(project, "claims.yaml", METHODS, "methods: [lora, haed]")
    monkeypatch.chdir(project)
    assert main(["check", "--configfile", use.CONFIG]) == 2
    assert "papers/sample/claims.yaml: line 8: claims.lora_wins.methods is 'haed'" in capsys.readouterr().err


def test_a_field_is_read_without_the_spaces_around_it(tmp_path: Path) -> None:
    (tmp_path / "reported.csv").write_text(REPORTED.replace("50.50", " 50.50 ").replace("English", "English "))
    first = read_reported(tmp_path / "reported.csv")[0]
    assert (first.column, first.value, first.digits, first.line) == ("English", 50.5, 2, 2)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reported.csv: the file is 'reported.csv'; it does not exist; write it with"):
        read_reported(tmp_path / "reported.csv")


def test_a_new_paper_passes_and_teaches(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_paper(project)
    monkeypatch.chdir(project)
    assert main(["new", "paper", "new-paper"]) == 0
    found = papers(project)["new-paper"]
    assert list(found.tables) == ["table1"]
    assert contradiction(found, found.claims["adapter_wins"]) is None
    assert main(["new", "method", "new-method"]) == 2


@pytest.mark.parametrize(("to", "told"), [("nowhere/bench", "there is no folder"), ("$NOT_SET", "NOT_SET is not set")])
def test_a_new_folder_is_written_where_its_parent_is(
    to: str, told: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["new", "paper", "mine", "--to", to]) == 2
    assert f"--to is '{to}'; " in (said := capsys.readouterr().err)
    assert told in said


def asked(**words: str | int | None) -> Namespace:
    nothing = dict.fromkeys(("task", "backbone", "method", "domain", "budget", "seed", "paper", "table"))
    return Namespace(**nothing | words, configfile=use.CONFIG)


def test_a_table_runs_what_it_needs_and_no_more(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_paper(project)
    monkeypatch.chdir(project)
    use.write_config(project, {"seeds": [0, 1], "tasks": {"wikiann": {"budgets": [4, 8], "domains": DOMAINS}}})
    plan = plan_table(asked(paper="sample", table="one"))
    cells = {(cell.method, cell.budget, cell.seed) for cell in plan.cells()}
    assert cells == {(method, 8, seed) for method in ("lora", "head", "bitfit") for seed in (0, 1)}
    for words, sentence in (
        ({"paper": "sample"}, "go together"),
        ({"paper": "sampel", "table": "one"}, "did you mean 'sample'"),
        ({"paper": "sample", "table": "won"}, "did you mean 'one'"),
        ({"paper": "sample", "table": "later"}, "it needs later, which this run does not have"),
        ({"paper": "sample", "table": "one", "seed": 0}, "--seed does not go with --paper"),
    ):
        with pytest.raises(UserError, match=sentence):
            plan_table(asked(**words))
    with pytest.raises(UserError, match="--task is missing"):
        plan_asked(asked())
