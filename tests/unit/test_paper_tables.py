"""A paper's table beside ours: holes, what has no counterpart, the setting, and labels that come through unharmed."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.contracts.paper import Column, PaperSpec, PaperTable, Row, Setting
from harness.contracts.papers import papers
from harness.contracts.plan import BackboneJob, DataJob, Plan
from harness.contracts.reported import Reported
from harness.paper.evidence import Evidence
from harness.paper.fill import Filler
from harness.paper.html import to_html
from harness.paper.latex import PACKAGES, escaped, to_latex, to_macros
from harness.paper.letters import MATHS, SPECIAL
from harness.paper.markdown import to_markdown
from harness.paper.sheet import Entry, Sheet
from harness.paper.tables import COLUMNS, to_rows, write_papers
from harness.plan.papers import KINDS, planned_papers
from harness.table.rows import write_rows
from harness.table.scores import LEAK_MARK, LEAKING
from tests.unit.made_records import LABELS, made_plan, made_records

ODD = "</script><b>%_&$#"
needs_latex = pytest.mark.skipif(
    not shutil.which("tectonic") and not shutil.which("pdflatex"), reason="no LaTeX is installed"
)
LEVELS = {"alpha": 2.5, "beta": 1.5, "gamma": 0.5, "zero": -1.0}
SETTING = Setting(
    backbone=["their/bert"], data="Theirs", metric="f1", budgets=[32], seeds=3, test_examples={"nl": 40, "fi": 40}
)


def spec(**changes: Any) -> PaperSpec:
    """A paper with one table; changes are the table's."""
    table = {
        "title": f"A table {ODD}",
        "task": "ner",
        "metric": "f1",
        "rows": {"Base": Row(method="zero"), f"A {ODD}": Row(method="alpha"), "B": Row(method="beta"),
                 "Oracle": Row(none="it reads the answer"), "Absent": Row(method="delta")},
        "columns": {"NL": Column(domain="nl"), "FI": Column(domain="fi"), "XX": Column(domain="xx"),
                    "share": Column(cost="trained_share", unit="percent"), "mean": Column(mean=True)},
        "groups": {"Theirs": ["Base", f"A {ODD}"]},
        "notes": [f"A note {ODD}"],
    }  # fmt: skip
    numbers = [("Base", "mean", 10.0), (f"A {ODD}", "mean", 30.0), ("B", "mean", 40.0), ("B", "NL", 41.0)]
    reported = [
        Reported(table="t", row=row, column=column, metric="f1", value=value, mark="quoted", source=ODD, digits=1)
        for row, column, value in numbers
    ]
    paper = PaperSpec(title="P", citation="C", tables={"t": PaperTable(**{**table, **changes})}, reported=reported)
    return paper.model_copy(update={"settings": {"t": SETTING}})


def sheet(plan: Plan, records: pd.DataFrame, paper: PaperSpec | None = None) -> Sheet:
    paper = paper or spec()
    return Filler(Evidence(plan, records), paper, "t", paper.tables["t"]).sheet()


def entries(found: Sheet, row: str, whose: str = "ours") -> dict[str, Entry]:
    line = next(line for line in found.lines if (line.row, line.whose) == (row, whose))
    return dict(zip(found.columns, line.entries, strict=True))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return made_plan("out")


@pytest.fixture(scope="module")
def filled(plan: Plan) -> Sheet:
    return sheet(plan, made_records(plan, LEVELS, {("ner", "beta", "fi", 32, 1): "error"}))


def test_a_hole_is_not_what_has_no_counterpart(filled: Sheet) -> None:
    beta = entries(filled, "B")
    assert beta["NL"].kind == "number"
    assert (beta["FI"].kind, beta["FI"].text) == ("hole", "– (2/3)")
    assert beta["mean"].kind == "hole"
    assert beta["XX"].kind == "no counterpart"
    assert {entry.kind for entry in list(entries(filled, "Oracle").values())[:5]} == {"no counterpart"}
    assert entries(filled, "Oracle")["NL"].why == "it reads the answer"
    absent = entries(filled, "Absent")
    assert absent["NL"].kind == "not run"
    assert absent["NL"].why.startswith("no method")


def test_what_a_model_judges_has_no_counterpart_where_the_run_names_none(plan: Plan) -> None:
    columns = {"C": Column(mean=True, metric="c_score", without="it needs a judge"), "mean": Column(mean=True)}
    paper = spec(columns=columns)
    records = made_records(plan, LEVELS)
    mine = records[(records.task == "ner") & records.primary]
    judged = pd.concat([records, mine.assign(metric="c_score", primary=False, score=0.25)], ignore_index=True)
    unasked = entries(sheet(plan, records, paper), "B")["C"]
    assert (unasked.kind, unasked.why) == ("no counterpart", "it needs a judge")
    asked = replace(plan, tasks=plan.tasks | {"ner": replace(plan.tasks["ner"], judges={"c_score": {}})})
    assert entries(sheet(asked, judged, paper), "B")["C"].value == pytest.approx(0.25)
    assert entries(sheet(asked, records, paper), "B")["C"].kind == "hole"


def test_the_largest_budget_stands_in_the_table(plan: Plan, filled: Sheet) -> None:
    records = made_records(plan, LEVELS)
    mine = records[(records.task == "ner") & records.primary & (records.method == "alpha") & (records.budget == 32)]
    assert entries(filled, f"A {ODD}")["mean"].value == pytest.approx(mine.score.astype(float).mean())
    assert entries(filled, f"A {ODD}")["share"].text == "1"


def test_elsewhere_a_table_shows_order_and_signs_and_what_differs(filled: Sheet) -> None:
    assert not [line for line in filled.lines if line.whose == "difference"]
    alpha = f"A {ODD}"
    rank, sign = "rank by mean", "sign against Base"
    assert (entries(filled, alpha, "paper")[rank].text, entries(filled, alpha)[rank].text) == ("1 of 2", "1 of 2")
    assert (entries(filled, alpha, "paper")[sign].text, entries(filled, alpha)[sign].text) == ("+", "+")
    assert filled.notes[0].startswith("The setting is embedded")
    assert any(note.startswith("backbone: another (paper: their/bert; ours: tiny") for note in filled.notes)
    assert "Order by mean: 1 of 1 pairs of rows stand as in the paper (means alone)." in filled.notes


def test_at_the_papers_setting_a_difference_stands_below(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), source="hub")
    job = DataJob("ner", "hub", {"nl": "meta_test", "fi": "meta_test"}, {}, [8, 32], "refuse", "")
    theirs = replace(plan, data=[job], backbones=[BackboneJob("tiny", {"id": "their/bert"}, "", "", {})])
    found = sheet(theirs, made_records(theirs, LEVELS))
    assert found.notes[0] == "The setting is the paper's."
    mean, between = entries(found, "B")["mean"], entries(found, "B", "difference")["mean"]
    assert between.value == pytest.approx((mean.value or 0) - 40.0)
    for change in ({"backbone": ["another"]}, {"budgets": [8]}, {"seeds": 5}, {"test_examples": {"nl": 40}}):
        other = spec().model_copy(update={"settings": {"t": SETTING.model_copy(update=change)}})
        assert "scaled" in sheet(theirs, made_records(theirs, LEVELS), other).notes[0]


def test_a_task_that_the_run_does_not_have_is_not_run(plan: Plan) -> None:
    found = sheet(plan, made_records(plan, LEVELS), spec(task="persona"))
    assert entries(found, "B")["NL"].why == "no task: the run does not have persona"
    assert entries(found, "B", "paper")["NL"].text == "41.0"


def test_what_sees_the_future_is_marked(plan: Plan) -> None:
    records = made_records(plan, LEVELS).assign(leaks=lambda its: its.method == "beta")
    found = sheet(plan, records, spec(task="lm", metric="perplexity"))
    assert entries(found, "B")["mean"].mark == LEAK_MARK
    assert LEAKING in found.notes


def test_a_table_without_methods_shows_the_papers_numbers_alone(plan: Plan) -> None:
    rows = {name: Row(none="a size of the data") for name in ("Base", f"A {ODD}", "B")}
    found = sheet(plan, made_records(plan, LEVELS), spec(rows=rows, groups={}))
    assert {line.whose for line in found.lines} == {"paper"}
    assert found.columns[-1] == "mean"
    assert "No counterpart of ours: a size of the data." in found.notes


def test_what_is_recalled_is_not_said_to_be_the_papers(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), source="hub")
    setting = SETTING.model_copy(update={"recalled": True, "said": {"rate": "1"}})
    found = sheet(plan, made_records(plan, LEVELS), spec().model_copy(update={"settings": {"t": setting}}))
    assert "scaled" in found.notes[0]
    assert any(note.startswith("backbone: another (recalled: their/bert") for note in found.notes)
    assert "Recalled of the paper, not read: rate: 1." in found.notes
    assert not any("(paper:" in note for note in found.notes)


class Texts(HTMLParser):
    """What a browser shows, and which tags it finds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_odd_labels_come_through_html(filled: Sheet) -> None:
    reader = Texts()
    reader.feed(to_html(filled))
    assert reader.tags.isdisjoint({"b", "script"})
    assert {f"A table {ODD}", f"A {ODD}", f"A note {ODD}"} <= set(reader.texts)


def test_odd_labels_come_through_csv(filled: Sheet, tmp_path: Path) -> None:
    write_rows(tmp_path / "t.csv", COLUMNS, to_rows(filled))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text(), newline="")))
    assert {row["row"] for row in rows} >= {f"A {ODD}"}
    assert {row["why"] for row in rows} >= {ODD}


def test_odd_labels_come_through_markdown(filled: Sheet) -> None:
    text = to_markdown(filled)
    assert r"A \</script\>\<b\>%\_\&\$\#" in text
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
    assert widths == {len(filled.columns) + 3}


def test_odd_labels_come_through_latex(filled: Sheet) -> None:
    text = to_latex(filled)
    assert r"A \textless{}/script\textgreater{}\textless{}b\textgreater{}\%\_\&\$\#" in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(filled.columns) + 1}
    assert r"\emph{Theirs}" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("β-ΔF1 ↑", r"$\beta$-$\Delta$F1 $\uparrow$"),
        ("λ ς Ο", r"$\lambda$ $\varsigma$ O"),
        ("x₁ y⁺ m²", r"x\textsubscript{1} y\textsuperscript{+} m²"),
        ("Łódź é 数", "Łódź é 数"),
    ],
)
def test_letters_that_latex_lacks_are_put_in_its_words(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_every_number_is_a_macro(filled: Sheet) -> None:
    text = to_macros("p", [filled])
    names = re.findall(r"headstart:([^\\]+)\\endcsname\{", text)
    assert (
        len(names) == len(set(names)) == sum(entry.kind == "number" for line in filled.lines for entry in line.entries)
    )
    assert "t/b/nl/paper" in names
    assert all(re.fullmatch(r"[a-z0-9./-]+", name) for name in names)


def latex(folder: Path, body: str) -> str:
    """What the compiler of LaTeX prints for a page, which it must make."""
    page = f"\\documentclass{{article}}{PACKAGES}\\begin{{document}}{body}\\end{{document}}"
    (folder / "page.tex").write_text(page)
    command = ["tectonic", "--print"] if shutil.which("tectonic") else ["pdflatex", "-halt-on-error"]
    done = subprocess.run([*command, "page.tex"], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout + done.stderr


@needs_latex
def test_latex_compiles(filled: Sheet, tmp_path: Path) -> None:
    filled = replace(filled, notes=[*filled.notes, f"{''.join([*SPECIAL, *MATHS])} Δ β Σ λ Ο x₁ y² é Ł"])
    (tmp_path / "numbers.tex").write_text(to_macros("p", [filled]))
    latex(tmp_path, f"\\input{{numbers}}{to_latex(filled)}\\headstart{{t/b/nl/paper}}")


@needs_latex
def test_the_projects_tables_compile_and_none_is_wider_than_the_page(tmp_path: Path) -> None:
    plan = replace(made_plan(str(tmp_path), methods=LABELS), papers=planned_papers(papers()))
    write_papers(plan, made_records(plan, LEVELS))
    tables = sorted((tmp_path / "papers").glob("*/*.tex"))
    assert len(tables) == 8 + 3 + 2
    said = latex(tmp_path, "".join(f"\\input{{{file}}}\\clearpage " for file in tables))
    assert "Overfull" not in said, said[-2000:]


def test_the_papers_of_the_project_are_written(tmp_path: Path) -> None:
    """All that the plan names is written, twice with the same bytes, by a run that has none of their tasks."""
    plan = replace(made_plan(str(tmp_path), methods=LABELS), papers=planned_papers(papers()))
    written = []
    for _ in range(2):
        write_papers(plan, made_records(plan, LEVELS))
        files = [tmp_path / "papers" / name for name in plan.paper_files if name.endswith(tuple(KINDS))]
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]
    assert len(written[0]) == 4 * (8 + 3) + 2
    assert len(plan.paper_files) == len(written[0]) + 3 * 5


def test_a_row_with_another_backbones_rates_is_marked(plan: Plan) -> None:
    blocks = [replace(its, rates="method" if its.method in ("alpha", "gamma") else "tuned") for its in plan.blocks]
    found = sheet(replace(plan, blocks=blocks), made_records(plan, LEVELS))
    odd, beta = entries(found, f"A {ODD}"), entries(found, "B")
    assert (odd["NL"].mark, odd["mean"].mark, beta["NL"].mark) == ("¶", "¶", "")
    (note,) = [note for note in found.notes if note.startswith("¶")]
    assert note.endswith(f": {LABELS['alpha']} (adaptation)."), "of the table's own rows alone"
    assert r"\P{}" in to_latex(found)
    assert not any("¶" in note for note in sheet(plan, made_records(plan, LEVELS)).notes)
