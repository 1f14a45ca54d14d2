"""A paper in a folder outside the project joins a run as docs/add-a-paper.md says, and the harness is not touched."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.main import main
from harness.cli.report import report
from harness.contracts.folders import ask_for, include
from harness.contracts.papers import papers
from harness.plan.entry import make_plan
from tests import project as use
from tests.project import ROOT
from tests.unit.test_paper_tables import ODD
from tests.unit.test_report import Reader

RUN = "../my-bench/run.yaml"
FILES = {
    "paper.yaml": {
        "title": f"A third paper {ODD}", "citation": "Nobody, 1999", "bibtex": f"@misc{{third, title = {{{ODD}}}}}",
        "settings": {"table1": {"backbone": ["their/bert"], "data": ODD, "metric": "f1", "said": {"rate": ODD}}},
    },
    "tables.yaml": {
        "tables": {
            "table1": {
                "title": f"Names {ODD}", "task": "wikiann", "metric": "f1",
                "rows": {ODD: "finetune", "Most frequent": "majority", "Oracle": {"none": ODD}},
                "columns": {f"NL {ODD}": "nl", "share": {"cost": "trained_share", "unit": "percent", "ours": True}},
                "groups": {f"Theirs {ODD}": [ODD, "Most frequent"]}, "notes": [ODD],
            }
        }
    },
    "figures.yaml": {
        "figures": {
            "curve": {"title": ODD, "kind": "budgets", "task": "wikiann", "metric": "f1", "reported": "points",
                      "axis": "k", "lines": {ODD: "finetune"}}
        }
    },
    "claims.yaml": {
        "claims": {
            "learning_helps": {
                "says": f"Learning beats guessing {ODD}", "where": {"place": ODD, "status": "seen"},
                "reported": [{"table": "table1", "more": ODD, "less": "Most frequent", "column": f"NL {ODD}"}],
                "kind": "better", "methods": ["finetune", "majority"], "on": {"task": "wikiann", "metric": "f1"},
                "scale": "difference", "smallest": 1.0, "why": ODD,
            },
            "learning_is_dear": {
                "says": "Guessing trains less.", "where": {"place": "ours", "status": "ours"}, "kind": "cost",
                "methods": ["majority", "finetune"], "costs": ["trained_share"],
                "on": {"task": "wikiann", "metric": "f1"}, "scale": "log_ratio", "smallest": 0.1, "why": ODD,
            },
        }
    },
}  # fmt: skip
REPORTED = [
    ("table1", ODD, f"NL {ODD}", "f1", "50.0", "own", f"Table 1 {ODD}"),
    ("table1", "Most frequent", f"NL {ODD}", "f1", "1.00", "own", "Table 1"),
    ("table1", "Oracle", f"NL {ODD}", "f1", "99", "quoted", "Table 1"),
    ("points", ODD, "k=8", "f1", "9", "digitised", "Figure 1"),
]


def of_the_page() -> dict[str, Any]:
    """The configuration that docs/add-a-paper.md shows whole."""
    text = (ROOT / "docs" / "add-a-paper.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.S)]
    (found,) = [block for block in blocks if "include" in block]
    return found


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder beside a small project, with a paper from the template and the page's configuration, made small."""
    project, bench = tmp_path / "project", tmp_path / "my-bench"
    project.mkdir()
    use.copy_project(project)
    monkeypatch.chdir(project)
    assert main(["new", "paper", "mine", "--to", "../my-bench"]) == 0
    run = of_the_page()
    run["tasks"]["wikiann"] |= {"budgets": [4], "test_examples": 4, "train": {"steps": 1}}
    Path(RUN).write_text(
        yaml.safe_dump(run | {"seeds": [0, 1], "backbones": {"encoder": use.backbone("bert", "wikiann")}})
    )
    yield bench
    include([])
    ask_for([])


def write_third(bench: Path) -> None:
    """The paper with odd labels in every place where a label may stand."""
    folder = bench / "papers" / "third"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True))
    with (folder / "reported.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("table", "row", "column", "metric", "value", "mark", "source"), *REPORTED])


def test_the_page_shows_a_whole_configuration(bench: Path) -> None:
    shutil.copytree(ROOT / "backbones" / "encoder", "backbones/encoder")
    Path(RUN).write_text(yaml.safe_dump(of_the_page()))
    plan = make_plan(RUN)
    assert {"mine", "hou2022-mltd"} <= set(plan.papers)
    needed = {name for table in papers()["mine"].tables.values() for row in table.rows.values() if (name := row.method)}
    assert needed <= {block.method for block in plan.blocks}


def test_its_table_claim_and_section_appear(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_third(bench)
    shutil.rmtree("papers")  # the project's own, whose figures take seconds
    assert main(["run", "--configfile", RUN, "--paper", "third", "--table", "table1"]) == 0
    assert "# Names" in capsys.readouterr().out
    include([])  # as in a process of its own
    assert main(["claim", "third/learning_helps", "--configfile", RUN]) == 0
    assert "the paper's effect: 49" in capsys.readouterr().out
    plan = make_plan(RUN)
    for what in ("collect", "papers", "claims", "report"):
        assert report(plan, what) == 0
    made = Path("results/mine/papers/third")
    for name in ("table1.md", "table1.html", "table1.tex", "curve.pdf", "claims.md", "numbers.tex"):
        assert (made / name).is_file()
    with (made / "table1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {ODD, "Most frequent", "Oracle"} == {row["row"] for row in rows}
    assert any(row["column"] == f"NL {ODD}" and row["why"] == ODD for row in rows)
    ours = [row for row in rows if row["whose"] == "ours" and row["row"] == ODD and row["kind"] == "number"]
    assert len(ours) == 2
    answers = {its["name"]: its for its in json.loads((made / "claims.json").read_text())}
    assert answers["learning_helps"]["effects"] == [49.0]
    assert answers["learning_is_dear"]["obstacle"] == "missing cells"  # of guessing nothing is trained
    _check_page(Path("results/mine/report.html").read_text(encoding="utf-8"))


def _check_page(text: str) -> None:
    """The section, with every odd label as it was written, and no element or id made of one."""
    page = Reader(text)
    shown = " ".join(page.shown)
    for words in ("A third paper", "Names", "NL", "Theirs", "Learning beats guessing"):
        assert f"{words} {ODD}" in shown
    assert page.tags["b"] == 0
    assert page.tags["script"] == 1
    assert set(page.ids.values()) == {1}
    assert "claim-third/learning_helps" in page.ids
