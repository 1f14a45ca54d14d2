"""The reference's answers are what its own records say under today's rule, for every run on embedded data."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.paper.claims import write_claims
from harness.plan.entry import make_plan
from harness.record.read import read_records

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


@pytest.mark.parametrize(
    ("configuration", "folder"),
    [("default", REFERENCE), ("claims", REFERENCE / "claims"), ("wikitext", REFERENCE / "wikitext")],
)
def test_its_answers_follow_from_its_records(configuration: str, folder: Path, tmp_path: Path) -> None:
    plan = replace(make_plan(f"config/{configuration}.yaml"), output=str(tmp_path))
    write_claims(plan, read_records(folder / "records.parquet"))
    for paper in plan.papers:
        found, kept = (pd.read_csv(its / "papers" / paper / "claims.csv") for its in (tmp_path, folder))
        pd.testing.assert_frame_equal(found, kept, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("page", sorted(REFERENCE.rglob("report.html")), ids=lambda page: page.parent.name)
def test_its_pages_name_no_folder_of_a_machine(page: Path) -> None:
    (folder,) = re.findall("output folder ([^<]*)<", page.read_text(encoding="utf-8"))
    assert not Path(folder).is_absolute()
