"""Domains that are ranked by metrics of their own: a board has the mean of each one's, and a hole stays a hole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.adapt.record import SCORES, write_done
from harness.base.files import write_json
from harness.contracts.plan import Plan
from harness.record.collect import collect
from harness.table.influence import influences
from harness.table.scores import TaskScores
from harness.table.tables import write_tables
from tests.unit.made_records import made_plan, made_records

OWN = {"fi": "pearson"}
LEVELS = {"alpha": 30.0, "beta": 60.0, "gamma": 90.0, "zero": 10.0}


def plan_of(folder: Path) -> Plan:
    plan = made_plan(str(folder), ("ner",), budgets=[8])
    task = replace(plan.tasks["ner"], metric="accuracy", kind="sequence-classification", own_metrics=OWN)
    return replace(plan, tasks={"ner": task})


def records_of(plan: Plan, undefined: bool = False) -> pd.DataFrame:
    """Accuracies of 40 examples on nl, correlations on fi."""
    records = made_records(plan)
    records = records[records.primary.astype(bool)].reset_index(drop=True)
    for place, row in records.iterrows():
        draw = np.random.default_rng([int(row.seed), *map(ord, row.method)])
        if row.domain == "fi":
            truth = draw.normal(size=40)
            pairs = np.stack([truth + draw.normal(size=40) * 30 / LEVELS[row.method], truth], axis=1)
            score, statistics = 100 * np.corrcoef(pairs.T)[0, 1], pairs.tolist()
        else:
            right = 100.0 * (draw.random(40) < LEVELS[row.method] / 100)
            score, statistics = right.mean(), np.stack([right, np.ones(40)], axis=1).tolist()
        hole = undefined and row.domain == "fi" and row.method == "zero"
        records.at[place, "metric"] = plan.tasks["ner"].metric_of(row.domain)
        records.at[place, "score"] = None if hole else score
        records.at[place, "statistics"] = None if hole else statistics
    return records


def test_the_mean_is_of_each_domains_own_metric(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    records = records_of(plan)
    scores = TaskScores(plan, records, "ner")
    assert scores.examples_vary
    mine = records[records.method == "beta"].groupby("domain").score.mean()
    value = scores.value("beta", ["nl", "fi"], [8])
    assert value.mean == pytest.approx((mine["nl"] + mine["fi"]) / 2)
    sample = scores.sample("beta", [8])
    assert sample is not None
    statistics = records[(records.method == "beta") & (records.domain == "fi")].sort_values("seed").statistics
    moved = influences("pearson", np.array(statistics.tolist()))
    assert moved is not None
    # The domains come in the plan's order, and each moves the mean by its half.
    assert sample.others[1] == pytest.approx(moved / 2)


def test_an_interval_of_a_correlation_may_end_below_zero(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    records = records_of(plan)
    fi = (records.domain == "fi") & (records.method == "zero")
    records.loc[fi, "score"] = [-95.0, 5.0, -90.0]
    low = TaskScores(plan, records, "ner").value("zero", ["fi"], [8]).low
    assert low == -100.0
    nl = (records.domain == "nl") & (records.method == "zero")
    records.loc[nl, "score"] = [0.0, 40.0, 1.0]
    assert TaskScores(plan, records, "ner").value("zero", ["nl"], [8]).low == 0.0


def test_tables_name_each_metric(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    write_tables(plan, records_of(plan, undefined=True))
    table = pd.read_csv(tmp_path / "tables" / "ner.csv")
    named = dict(zip(table.domain, table.metric, strict=True))
    assert named == {"nl": "accuracy", "fi": "pearson", "mean": "accuracy (pearson on fi)"}
    text = (tmp_path / "tables" / "ner.md").read_text()
    assert "Metric: accuracy (pearson on fi), higher is better" in text
    (line,) = (line for line in text.splitlines() if "`zero`" in line)
    assert line.count("– (0/3)") == 1  # where the correlation is not defined
    assert "– (3/6)" in line  # and the mean with it


def test_records_say_why_a_score_is_not_defined(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    cell = next(its for its in plan.cells() if its.domain == "fi")
    block = replace(plan.blocks[0], cells=[replace(cell, folder=str(tmp_path / "cell"))])
    write_done(tmp_path / "cell", {"fingerprint": cell.fingerprint}, [], {})
    why = "every answer is 2, so no correlation is defined"
    scores = {"pearson": None, "spearman": 10.0}
    content = {"scores": scores, "statistics": {}, "options": {}, "undefined": {"pearson": why}, "n": 3, "key": []}
    write_json(tmp_path / "cell" / SCORES, content)
    rows = collect(replace(plan, blocks=[block])).set_index("metric")
    assert rows.primary.to_dict() == {"pearson": True, "spearman": False}
    assert np.isnan(rows.score["pearson"])
    assert rows.error["pearson"] == why
    assert rows.status["pearson"] == "done"
