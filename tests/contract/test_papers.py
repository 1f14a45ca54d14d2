"""What every discovered paper promises: its tables and claims name things that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.base.paths import project_root
from harness.contracts.discover import methods, papers, tasks
from harness.contracts.paper import PaperSpec, read_reported

HAS_PAPERS = (project_root() / "papers").is_dir()
PAPERS = papers() if HAS_PAPERS else {}

each_paper = pytest.mark.parametrize("name", PAPERS)


def test_discovery_gives_papers_by_name() -> None:
    if not HAS_PAPERS:
        pytest.skip("there is no folder papers/ yet")
    assert isinstance(papers(), dict)
    assert all(isinstance(paper, PaperSpec) for paper in papers().values())


def test_a_paper_is_discovered(tmp_path: Path) -> None:
    write_paper(tmp_path, "all")
    assert papers(tmp_path)["sample"].tables["1"].rows == {"Their LoRA": "lora"}


def test_a_bad_budget_is_refused(tmp_path: Path) -> None:
    write_paper(tmp_path, "many")
    with pytest.raises(UserError, match="budgets"):
        papers(tmp_path)


def write_paper(root: Path, budgets: str) -> None:
    folder = root / "papers" / "sample"
    folder.mkdir(parents=True)
    table = "{title: T, task: wikiann, metric: f1, rows: {Their LoRA: lora}}"
    (folder / "tables.yaml").write_text(f"title: A\ncitation: B\ntables: {{'1': {table}}}\n")
    (folder / "reported.csv").write_text("table,row,column,value,mark,source\n1,Their LoRA,en,50.5,published,Table 1\n")
    claim = f"{{says: S, task: wikiann, better: lora, worse: head, smallest_difference: 1, budgets: {budgets}}}"
    (folder / "claims.yaml").write_text(f"claims: {{lora_wins: {claim}}}\n")


@each_paper
def test_tables_and_claims_name_tasks_methods_and_domains(name: str) -> None:
    paper = PAPERS[name]
    for table in paper.tables.values():
        assert set(table.rows.values()) <= set(methods())
        assert table.task is None or table.task in tasks()
        sources = tasks()[table.task].spec.sources.values() if table.task else []
        known = {domain for source in sources for domain in source.domains}
        assert set(table.columns.values()) <= known
    for claim in paper.claims.values():
        assert claim.task in tasks()
        assert {claim.better, claim.worse} <= set(methods())
        assert claim.better != claim.worse


@each_paper
def test_reported_numbers_meet_the_tables(name: str) -> None:
    """A reported table may have no counterpart of ours; a row that we fill beside reported ones is one of them."""
    found = read_reported(project_root() / "papers" / name / "reported.csv")
    assert found
    places = [(number.table, number.row, number.column) for number in found]
    assert len(set(places)) == len(places)
    assert all(number.source for number in found)
    for table, spec in PAPERS[name].tables.items():
        rows, columns = ({place[i] for place in places if place[0] == table} for i in (1, 2))
        if rows:
            assert set(spec.rows) <= rows
            assert set(spec.columns) <= columns
