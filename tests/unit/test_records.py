"""records.parquet has the same columns of the same types whatever a run holds, so that any two are read together."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.adapt.record import FAILED, PIECE, SCORES, read_record, write_done, write_failed
from harness.base.files import write_json
from harness.contracts.plan import Cell, Plan
from harness.record.collect import collect, records_file, write_records
from harness.record.read import read_records
from harness.record.schema import COLUMNS, SCHEMA
from tests.unit.made_records import made_plan

COSTS = {"adaptation_seconds": 1, "peak_rss_mib": 9.5, "trained_parameters": 3, "sized": "rank 4", "wanted_share": 1}
GENERATION = {"beams": 4, "length": [1, 8]}
Fill = Any  # what writes a cell's files


def scored(statistics: dict[str, Any], **record: Any) -> Fill:
    def fill(cell: Cell) -> None:
        write_done(Path(cell.folder), {"fingerprint": cell.fingerprint, "train": {"steps": 1}} | record, [], COSTS)
        found = {
            "scores": {"f1": 50.0, "perplexity": 2, "rouge1": 1.5},
            "statistics": statistics,
            "options": {},
            "n": 2,
            "key": [],
        }
        write_json(Path(cell.folder) / SCORES, found)

    return fill


def failed(cell: Cell) -> None:
    write_failed(Path(cell.folder), {"fingerprint": cell.fingerprint}, "error", "Traceback: – ü")


def unscored(cell: Cell) -> None:
    write_done(
        Path(cell.folder), {"fingerprint": cell.fingerprint}, [], {"report": {"a": [1]}, "peak_device_mib": None}
    )


RUNS: dict[str, Fill] = {
    "counts": scored({"f1": [[1, 0, 2], [0, 0, 1]]}),
    "numbers": scored({"perplexity": [[1.5, 2.0]]}, generation=None),
    "texts": scored({"rouge1": [[50.0, 1.0]]}, generation=GENERATION),
    "none": scored({}),
    "failed": failed,
    "unscored": unscored,
    "missing": lambda cell: None,
}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Plan]:
    """Runs of one method, each with cells of another content, collected."""
    plans = {}
    for name, fill in RUNS.items():
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        plans[name] = made_plan(str(tmp_path / name), ("sums",), methods={"alpha": "Alpha"}, seeds=[0, 1])
        for cell in plans[name].cells():
            fill(cell)
        write_records(plans[name])
    return plans


def test_every_run_has_the_same_types(runs: dict[str, Plan]) -> None:
    schemas = {name: pq.read_schema(records_file(plan)) for name, plan in runs.items()}
    assert all(schema.equals(SCHEMA) for schema in schemas.values())
    assert tuple(SCHEMA.names) == COLUMNS


def test_any_two_runs_are_read_together(runs: dict[str, Plan]) -> None:
    for pair in itertools.permutations(runs.values(), 2):
        files = [records_file(plan) for plan in pair]
        both = pd.read_parquet(files)
        assert len(both) == sum(len(pd.read_parquet(file)) for file in files)


def test_what_cells_left_is_in_the_records(runs: dict[str, Plan]) -> None:
    read = {name: pd.read_parquet(records_file(plan)) for name, plan in runs.items()}
    texts = read["texts"]
    assert set(texts.metric) == {"f1", "perplexity", "rouge1"}
    assert [json.loads(row) for row in texts.generation] == [GENERATION] * len(texts)
    assert json.loads(texts.train[0]) == {"steps": 1}
    assert (texts.trained_parameters == 3).all()
    rouge = texts[texts.metric == "rouge1"].iloc[0]
    assert [list(row) for row in rouge.statistics] == [[50.0, 1.0]]
    counts = read["counts"][read["counts"].metric == "f1"].iloc[0]
    assert [list(row) for row in counts.statistics] == [[1, 0, 2], [0, 0, 1]]
    for name in ("numbers", "none", "failed", "missing"):
        assert read[name].generation.isna().all()
    assert set(read["failed"].error) == {"Traceback: – ü"}
    assert set(read["missing"].status) == {"missing"}
    assert read["missing"].score.isna().all()
    assert json.loads(read["unscored"].report[0]) == {"a": [1]}


def test_statistics_are_read_as_arrays_of_the_metric_that_ranks(runs: dict[str, Plan]) -> None:
    """Views of one array: those of a row whose neighbours have other lengths, or none, are its own."""
    for plan in runs.values():
        whole, read = pd.read_parquet(records_file(plan)), read_records(records_file(plan))
        assert list(read.columns) == list(whole.columns)
        for its, found, primary in zip(whole.statistics, read.statistics, whole.primary, strict=True):
            if its is None or not primary:
                assert found is None
            else:
                assert found.tolist() == [list(example) for example in its]


def test_collected_records_are_those_of_the_file(runs: dict[str, Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    for plan in runs.values():
        monkeypatch.chdir(plan.output)
        pd.testing.assert_frame_equal(collect(plan), read_records(records_file(plan)))


@pytest.mark.parametrize("size", [0, PIECE, 3 * PIECE])
def test_a_record_is_read_whole_however_long_it_is(size: int, tmp_path: Path) -> None:
    write_done(tmp_path, {"fingerprint": "f", "dropped": "ü" * size}, [], {})
    record = read_record(tmp_path, "f")
    assert record is not None
    assert record["dropped"] == "ü" * size
    assert read_record(tmp_path, "another") is None
    assert read_record(tmp_path / "nowhere", "f") is None
    write_json(tmp_path / FAILED, {"what": "scoring", "status": "error", "error": "Traceback"})
    failed = read_record(tmp_path, "f")
    assert failed is not None
    assert (failed["status"], failed["failed_in"]) == ("error", "scoring")
