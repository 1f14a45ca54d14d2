"""Tables, leaderboards and figures of made-up records: holes stay holes, and ranks follow the direction."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.contracts.plan import Plan
from harness.record.read import read_records
from harness.table.figures import draw, write_figures
from harness.table.leaderboard import write_leaderboards
from harness.table.scores import LEAKING, TaskScores, Value
from harness.table.sparsity import write_sparsity
from harness.table.tables import COLUMNS, shown_value, write_tables
from tests.unit.made_records import LABELS, made_plan, made_records

LEVELS = {"alpha": 2.5, "beta": 1.5, "gamma": 0.5, "zero": -1.0}
HOLE = {("ner", "beta", "fi", 8, 1): "error", ("ner", "beta", "fi", 8, 2): "timeout"}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return made_plan(str(tmp_path))


def table(plan: Plan, name: str) -> pd.DataFrame:
    return pd.read_csv(Path(plan.output) / name)


def text(plan: Plan, name: str) -> str:
    return (Path(plan.output) / name).read_text()


def test_table_holds_the_means_of_the_records(plan: Plan) -> None:
    records = made_records(plan, LEVELS)
    write_tables(plan, records)
    found = table(plan, "tables/ner.csv")
    assert tuple(found.columns) == COLUMNS
    assert len(found) == 4 * 3 * 2  # methods, domains and their mean, budgets
    mine = records[(records.task == "ner") & records.primary]
    for row in found.itertuples():
        its = mine[(mine.method == row.method) & (mine.budget == row.budget)]
        its = its if row.domain == "mean" else its[its.domain == row.domain]
        assert row.mean == pytest.approx(its.score.astype(float).mean(), rel=1e-5)
        assert row.low < row.mean < row.high
        assert (row.seeds, row.done, row.planned) == (3, len(its), len(its))
        assert row.n_examples == (80 if row.domain == "mean" else 40)


def test_records_from_parquet_give_the_same_bytes(plan: Plan, tmp_path: Path) -> None:
    records = made_records(plan, LEVELS, HOLE)
    write_tables(plan, records)
    write_leaderboards(plan, records)
    files = [*(tmp_path / "tables").iterdir(), *(tmp_path / "leaderboard").iterdir()]
    first = {file: file.read_bytes() for file in files}
    records.to_parquet(tmp_path / "records.parquet", index=False)
    again = read_records(tmp_path / "records.parquet")
    write_tables(plan, again)
    write_leaderboards(plan, again)
    assert {file: file.read_bytes() for file in first} == first


def test_holes_are_shown_as_holes(plan: Plan) -> None:
    write_tables(plan, made_records(plan, LEVELS, HOLE))
    found = table(plan, "tables/ner.csv").set_index(["method", "domain", "budget"])
    for domain, done, planned in (("fi", 1, 3), ("mean", 4, 6)):
        row = found.loc[("beta", domain, 8)]
        assert np.isnan(row["mean"])
        assert np.isnan(row["low"])
        assert (row["done"], row["planned"]) == (done, planned)
    assert found.loc[("beta", "nl", 8), "mean"] > 0
    line = next(line for line in text(plan, "tables/ner.md").splitlines() if line.startswith("| Beta"))
    assert "| – (1/3) | – (4/6) | 1 |" in line
    beside = table(plan, "tables/ner.metrics.csv").set_index(["method", "domain", "budget"])
    assert np.isnan(beside.loc[("beta", "fi", 8), "mean"])
    assert beside.loc[("beta", "fi", 8), "done"] == 1
    assert beside.loc[("beta", "nl", 8), "mean"] == pytest.approx(found.loc[("beta", "nl", 8), "mean"] / 2, rel=1e-5)


def test_a_run_in_which_all_failed_has_tables_of_holes(plan: Plan) -> None:
    holes = {(c.task, c.method, c.domain, c.budget, c.seed): "out_of_memory" for c in plan.cells()}
    records = made_records(plan, holes=holes)
    write_tables(plan, records)
    write_leaderboards(plan, records)
    write_figures(plan, records)
    assert table(plan, "tables/ner.csv")["mean"].isna().all()
    assert table(plan, "tables/ner.metrics.csv").empty
    board = table(plan, "leaderboard/ner.csv")
    assert board["rank"].isna().all()
    assert board[board.budget == "8"].statuses.eq("out_of_memory:6").all()
    assert board.trained_parameters.isna().all()


def test_a_single_seed_has_no_interval(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), seeds=[7])
    write_tables(plan, made_records(plan, LEVELS))
    write_leaderboards(plan, made_records(plan, LEVELS))
    for name in ("tables/ner.csv", "leaderboard/ner.csv"):
        found = table(plan, name)
        assert found["mean"].notna().all()
        assert found.low.isna().all()
        assert found.high.isna().all()
    rows = [line for line in text(plan, "tables/ner.md").splitlines() if line.startswith("| Beta")]
    assert rows
    assert not any("[" in row for row in rows)
    assert "Seeds: 1 (7)" in text(plan, "tables/ner.md")


def test_markdown_says_what_the_numbers_are(plan: Plan, tmp_path: Path) -> None:
    write_tables(plan, made_records(plan, LEVELS))
    page = text(plan, "tables/lm.md")
    for part in ("# The task lm", "perplexity, lower is better", "do not stand in for the papers' numbers", "tiny"):
        assert part in page
    assert "†" not in page
    assert "Alpha \\| one" in page
    lines = page.splitlines()
    control = next(place for place, line in enumerate(lines) if line.startswith("| **control**"))
    assert lines[control + 1].startswith("| Zero-shot")
    assert len({line.count(" | ") for line in lines if line.startswith("| Beta") or line.startswith("| method")}) == 1

    other = made_plan(str(tmp_path / "other"), source="local", overlap=True)
    write_tables(other, made_records(other, LEVELS))
    page = text(other, "tables/lm.md")
    assert "do not stand in" not in page
    assert "† This task allows" in page


def test_shown_value() -> None:
    assert shown_value(Value(61.234, 58.0, 64.05, 3, 40, 3, 3), 1) == "61.2 [58.0, 64.0]"
    assert shown_value(Value(61.234, None, None, 1, 40, 1, 1), 1) == "61.2"
    assert shown_value(Value(None, None, None, 2, 40, 2, 3), 1) == "– (2/3)"
    assert shown_value(Value(1e304, None, None, 1, 40, 1, 1), 2) == "1e+304"


def with_leak(tmp_path: Path) -> tuple[Plan, pd.DataFrame]:
    """A plan with the best method leaking, and its records."""
    plan = made_plan(str(tmp_path), methods={"leaky": "Leaky", **LABELS})
    return plan, made_records(plan, LEVELS | {"leaky": 9.0}, noise=0.2)


def test_a_leaking_method_is_shown_apart_with_a_sentence(tmp_path: Path) -> None:
    plan, records = with_leak(tmp_path)
    write_tables(plan, records)
    lines = text(plan, "tables/lm.md").splitlines()
    begin = next(place for place, line in enumerate(lines) if line.startswith("| **sees the future**"))
    assert lines[begin + 1].startswith("| Leaky ‡ |")
    assert lines[begin + 2].startswith("| **control**")
    assert lines[-1] == LEAKING
    assert "‡" not in text(plan, "tables/ner.md")
    for name in ("lm.csv", "lm.metrics.csv"):
        found = table(plan, f"tables/{name}")
        assert set(found[found.leaks].method) == {"leaky"}
    assert not table(plan, "tables/ner.csv").leaks.any()
    figure = draw(TaskScores(plan, records, "lm"))
    names = [entry.get_text() for entry in figure.legends[0].get_texts()]
    assert names[-2:] == ["Leaky (sees the future)", "Zero-shot (control)"]


def test_a_finished_cell_without_a_score_is_a_hole(plan: Plan) -> None:
    records = made_records(plan, LEVELS)
    lost = (records.task == "ner") & (records.method == "gamma") & (records.seed == 0)
    records.loc[lost & records.primary, "score"] = np.nan
    write_leaderboards(plan, records)
    row = table(plan, "leaderboard/ner.csv").query("budget == 'all' and method == 'gamma'").iloc[0]
    assert (row.coverage, row.statuses) == ("8/12", "unscored:4")


def test_a_narrowed_run_has_no_holes(tmp_path: Path) -> None:
    whole = made_plan(str(tmp_path))
    narrow = made_plan(str(tmp_path), domains=["fi"], budgets=[32])
    narrow.tasks["ner"] = whole.tasks["ner"]  # the task's own domains and budgets stay
    scores = TaskScores(narrow, made_records(narrow, LEVELS), "ner")
    assert (scores.domains, scores.budgets) == (["fi"], [32])
    assert scores.value("alpha", scores.domains, scores.budgets).mean is not None


def test_figures_have_the_same_bytes_again(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), ("lm",))
    records = made_records(plan, LEVELS, {("lm", "gamma", "fi", 8, 0): "diverged"})
    write_figures(plan, records)
    files = [tmp_path / "figures" / name for name in ("lm.png", "lm.svg")]
    first = [file.read_bytes() for file in files]
    write_figures(plan, records)
    assert [file.read_bytes() for file in files] == first
    assert first[0].startswith(b"\x89PNG")


def test_figure_draws_no_point_for_a_hole(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), ("lm",))
    figure = draw(TaskScores(plan, made_records(plan, LEVELS, {("lm", "gamma", "fi", 8, 0): "diverged"}), "lm"))
    panels = {panel.get_title(): panel for panel in figure.axes if panel.get_title()}
    assert set(panels) == {"nl", "fi", "mean over domains"}
    assert "lower is better" in figure.get_supylabel()
    for name, drawn in (("nl", [True, True]), ("fi", [False, True]), ("mean over domains", [False, True])):
        line = panels[name].lines[2]
        assert list(np.isfinite(line.get_ydata())) == drawn


def test_a_task_without_cells_has_empty_files(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path))
    records = made_records(plan, LEVELS)
    plan.blocks[:] = [block for block in plan.blocks if block.task == "ner"]
    for write in (write_tables, write_leaderboards, write_figures):
        write(plan, records[records.task == "ner"])
    assert table(plan, "tables/lm.csv").empty
    assert table(plan, "leaderboard/lm.csv").empty
    assert list(table(plan, "leaderboard/overall.csv").tasks) == ["1/2"] * 4
    assert (tmp_path / "figures" / "lm.png").is_file()


def matched_plan(plan: Plan) -> Plan:
    """The plan with 2% wanted: alpha and gamma have a size, beta has none, the control is not asked."""
    sized = {"alpha": ["rank"], "gamma": ["length"], "beta": []}
    blocks = [
        replace(block, match_parameters=0.02, sized_by=sized[block.method]) if block.method in sized else block
        for block in plan.blocks
    ]
    return replace(plan, blocks=blocks)


def test_a_wanted_share_and_how_near_it_came_are_shown(plan: Plan) -> None:
    matched, records = matched_plan(plan), made_records(plan, LEVELS).astype({"sized": object})
    records.loc[records.method == "alpha", ["trained_share", "sized"]] = [0.0213, "rank 3"]
    records.loc[records.method == "gamma", ["trained_share", "sized"]] = [0.4, "length 1"]
    write_leaderboards(matched, records)
    rows = table(plan, "leaderboard/ner.csv").query("budget == 'all'").set_index("method")
    assert list(rows.loc["alpha", ["wanted_share", "trained_share", "sized"]]) == [0.02, 0.0213, "rank 3"]
    assert list(rows.loc["gamma", ["wanted_share", "trained_share", "sized"]]) == [0.02, 0.4, "length 1"]
    assert list(rows.loc["beta", ["wanted_share", "trained_share", "sized"]]) == [0.02, 0.01, "not matched"]
    assert rows.loc["zero", ["wanted_share", "trained_share", "sized"]].isna().all()
    write_tables(matched, records)
    lines = (Path(plan.output) / "tables" / "ner.md").read_text().splitlines()
    shares = {line.split("`")[1]: line.split("|")[-2].strip() for line in lines if "`" in line and line[0] == "|"}
    assert shares == {"alpha": "2.13% (rank 3)", "beta": "1% (not matched)", "gamma": "40% (length 1)", "zero": "–"}


def test_a_run_without_a_wanted_share_shows_none(plan: Plan) -> None:
    write_tables(plan, made_records(plan, LEVELS))
    assert "trained share" not in (Path(plan.output) / "tables" / "ner.md").read_text()


def reporting(records: pd.DataFrame, masks: dict[tuple[str, str, int], list[str]]) -> pd.DataFrame:
    """Records of which `masks` (method, domain, budget) report a mask a seed and a kept share of (seed + 1) / 10."""
    records = records.astype({"report": object})
    for (method, domain, budget), names in masks.items():
        for seed, name in enumerate(names):
            place = (records.method == method) & (records.domain == domain) & (records.budget == budget)
            facts = json.dumps({"kept_share": (seed + 1) / 10, "mask": name})
            records.loc[place & (records.seed == seed) & (records.status == "done"), "report"] = facts
    return records


def test_sparsity_is_shown_of_what_reports_one(plan: Plan) -> None:
    hole = {("ner", "beta", "nl", 8, 1): "error"}
    masks = {("alpha", "nl", 8): ["a", "a", "a"], ("alpha", "nl", 32): ["a", "b", "a"], ("beta", "nl", 8): ["a"] * 3}
    write_sparsity(plan, reporting(made_records(plan, LEVELS, hole), masks).query("task == 'ner'"))
    found = table(plan, "tables/sparsity.csv").set_index(["task", "method", "domain", "budget"])
    assert len(found) == 3
    whole = found.loc[("ner", "alpha", "nl", 8)]
    assert list(whole[["kept_share", "stored_bytes", "same_mask", "n", "planned"]]) == [0.2, 400, "yes", 3, 3]
    assert found.loc[("ner", "alpha", "nl", 32), "same_mask"] == "no"
    hollow = found.loc[("ner", "beta", "nl", 8)]
    assert np.isnan(hollow.kept_share)
    assert (hollow.same_mask, hollow.n, hollow.planned) == ("yes", 2, 3)
    lines = text(plan, "tables/sparsity.md").splitlines()
    assert "| ner | `alpha` | nl | 8 | 20% | 400 | yes | 3/3 |" in lines
    assert "| ner | `beta` | nl | 8 | – | – | yes | 2/3 |" in lines


def test_of_one_seed_it_is_not_known_whether_masks_agree(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), seeds=[0])
    write_sparsity(plan, reporting(made_records(plan, LEVELS), {("alpha", "nl", 8): ["a"]}))
    assert set(table(plan, "tables/sparsity.csv").same_mask) == {"not known"}


def test_a_run_without_sparse_methods_has_an_empty_table_that_says_so(plan: Plan) -> None:
    write_sparsity(plan, made_records(plan, LEVELS))
    assert table(plan, "tables/sparsity.csv").empty
    assert "No method of this run" in text(plan, "tables/sparsity.md")
