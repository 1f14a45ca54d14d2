"""What every discovered paper promises: discovery has looked for all that its tables and claims name."""

from __future__ import annotations

import pytest

from harness.base.paths import project_root
from harness.contracts.paper import PaperSpec
from harness.contracts.papers import papers
from harness.contracts.reported import read_reported

HAS_PAPERS = (project_root() / "papers").is_dir()
PAPERS = papers() if HAS_PAPERS else {}

each_paper = pytest.mark.parametrize("name", PAPERS)


def test_discovery_gives_papers_by_name() -> None:
    if not HAS_PAPERS:
        pytest.skip("there is no folder papers/ yet")
    assert isinstance(papers(), dict)
    assert all(isinstance(paper, PaperSpec) for paper in papers().values())


@each_paper
def test_every_reported_number_has_a_source(name: str) -> None:
    found = read_reported(project_root() / "papers" / name / "reported.csv")
    assert found
    assert all(number.source for number in found)
