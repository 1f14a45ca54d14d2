"""The reported numbers agree with themselves: means, effects that the papers state, and what tables and claims take."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from harness.base.paths import PACKAGE
from harness.contracts.papers import papers
from harness.contracts.reported import read_reported

ROOT = PACKAGE.parent
PAPERS = papers(ROOT)
MLTD = PAPERS["hou2022-mltd"]
# What the paper rounds otherwise than its own cells give.
OFF = {("table2", "TARP only, multitask instead"): 35.86, ("table3", "TARP only, no meta-learning"): 33.20}


def value(table: str, row: str, column: str) -> float:
    return MLTD.numbers(table)[row, column].value


def test_the_means_are_those_of_the_cells() -> None:
    found = {}
    for table in ("table2", "table3", "table5"):
        cells: dict[str, dict[str, float]] = defaultdict(dict)
        for (row, column), number in MLTD.numbers(table).items():
            if column != "trained share":
                cells[row][column] = number.value
        for row, its in cells.items():
            stated = its.pop("mean", None)
            if stated is None:
                continue
            places = 1 if table == "table5" else 2
            if abs(np.mean(list(its.values())) - stated) > 0.5 * 10**-places + 1e-9:
                found[table, row] = round(float(np.mean(list(its.values()))), places)
    assert found == OFF
    for table, row in OFF:
        assert MLTD.numbers(table)[row, "mean"].note == f"the printed cells give {OFF[table, row]:.2f}"


@pytest.mark.parametrize(
    ("table", "more", "less", "column", "stated"),
    [
        ("table2", "MLtD", "TARP only", "mean", 0.58),
        ("table3", "MLtD", "TARP only", "mean", -2.94),
        ("table1", "MLtD", "MLtD (TARP only)", "perplexity", -4.01),
        ("table2", "TARP only", "TARP only, multitask instead", "mean", 0.61),
    ],
)
def test_the_stated_effects_are_those_of_the_numbers(
    table: str, more: str, less: str, column: str, stated: float
) -> None:
    """0.61 is by the printed means; the cells of the row that is off give 0.60."""
    assert value(table, more, column) - value(table, less, column) == pytest.approx(stated, abs=1e-9)


def test_the_figures_agree_with_the_tables() -> None:
    """Figure 4's last iteration is Table 1; MAML's row there is its best iteration, not its last."""
    assert value("figure4", "Pretrain+FT", "iterations=10") == value("table1", "Pretrain+Finetune", "perplexity")
    assert value("figure4", "MLtD (TARP only)", "iterations=10") == value("table1", "MLtD (TARP only)", "perplexity")
    iterations = [value("figure4", "MAML+FT", f"iterations={number}") for number in (0, 1, 3, 5, 7, 10)]
    assert min(iterations) == iterations[3] == value("table1", "MAML+Finetune", "perplexity")


def test_every_number_is_there() -> None:
    counts = Counter(number.table for number in MLTD.reported)
    assert len(MLTD.reported) == 446
    assert counts == {
        "table1": 24, "table2": 56, "table3": 42, "table4": 24, "table5": 82, "table6": 80, "table7": 12,
        "table8": 9, "figure4": 33, "figure5": 28, "figure7": 56,
    }  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
def test_numbers_are_as_printed(name: str) -> None:
    for number in read_reported(ROOT / "papers" / name / "reported.csv"):
        assert number.source
        assert float(f"{number.value:.{number.digits}f}") == number.value
        assert (number.mark == "digitised") == number.table.startswith("figure")
