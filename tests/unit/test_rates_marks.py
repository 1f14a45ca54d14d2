"""No row with another backbone's rates stands in a table, a board or a comparison without its mark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.contracts.plan import Plan
from harness.table.comparison import write_comparison
from harness.table.figures import write_figures
from harness.table.leaderboard import write_leaderboards
from harness.table.rates import RATES_MARK
from harness.table.tables import write_tables
from tests.unit.made_records import made_plan, made_records

ORIGINS: dict[str, dict[str, Any]] = {
    "alpha": {"rates": "method"},
    "beta": {"rates": "searched", "preparation_rates": "method"},
    "gamma": {"rates": "tuned", "preparation_rates": "given"},
    "zero": {"rates": "none"},
}
PAGES = ("leaderboard/ner.md", "tables/ner.md", "comparisons/ner-gamma.md")
SHEETS = ("leaderboard/ner.csv", "tables/ner.csv", "tables/ner.metrics.csv", "comparisons/ner-gamma.csv")


def written(folder: Path, origins: dict[str, dict[str, Any]]) -> Plan:
    """Every page and sheet of a run whose methods' rates come from there."""
    plan = made_plan(str(folder), tasks=("ner",))
    plan = replace(plan, blocks=[replace(block, **origins.get(block.method, {})) for block in plan.blocks])
    records = made_records(plan)
    write_leaderboards(plan, records)
    write_tables(plan, records)
    write_comparison(plan, records, "ner", "gamma")
    return plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marked")
    written(folder, ORIGINS)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_a_row_whose_rates_were_neither_tuned_nor_given_is_marked(page: str, folder: Path) -> None:
    text = (folder / page).read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for name, method in (("Alpha", "alpha"), ("Beta", "beta"), ("Gamma", "gamma"), ("Zero-shot", "zero")):
        its = [row for row in rows if f"`{method}`" in row]
        assert its, name
        assert {RATES_MARK in row for row in its} == {method in ("alpha", "beta")}
    note = next(line for line in text.splitlines() if line.startswith(RATES_MARK))
    assert note.endswith(": Alpha | one (adaptation); Beta (preparation).")


@pytest.mark.parametrize("sheet", SHEETS)
def test_every_row_says_where_its_rates_come_from(sheet: str, folder: Path) -> None:
    rows = pd.read_csv(folder / sheet, keep_default_na=False).groupby("method")
    assert {name: set(its.rates) for name, its in rows} == {name: {its["rates"]} for name, its in ORIGINS.items()}
    of_preparations = {name: set(its.preparation_rates) for name, its in rows}
    assert of_preparations == {name: {its.get("preparation_rates", "none")} for name, its in ORIGINS.items()}


def test_so_does_the_board_of_all_tasks(folder: Path) -> None:
    rows = pd.read_csv(folder / "leaderboard" / "overall.csv", keep_default_na=False).set_index("method")
    assert dict(rows.rates_ner) == {name: its["rates"] for name, its in ORIGINS.items()}


@pytest.mark.parametrize("page", PAGES)
def test_where_all_were_tuned_or_given_there_is_no_mark(page: str, tmp_path: Path) -> None:
    written(tmp_path, {"alpha": {"rates": "tuned"}, "beta": {"rates": "given"}, "gamma": {"rates": "searched"}})
    assert RATES_MARK not in (tmp_path / page).read_text()


def test_a_figures_legend_has_the_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.axes

    labels: set[str] = set()
    plot = matplotlib.axes.Axes.plot

    def noted(self: Any, *arguments: Any, **options: Any) -> Any:
        labels.add(str(options.get("label", "")))
        return plot(self, *arguments, **options)

    plan = written(tmp_path, ORIGINS)
    monkeypatch.setattr(matplotlib.axes.Axes, "plot", noted)
    write_figures(plan, made_records(plan))
    assert any(RATES_MARK in label for label in labels if "Alpha" in label)
    assert not any(RATES_MARK in label for label in labels if "Gamma" in label)
