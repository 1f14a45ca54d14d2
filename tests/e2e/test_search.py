"""A run whose rates are searched: its Snakemake jobs, what records and boards say of them, and nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from harness.table.rates import RATES_MARK
from tests.e2e.project import CONFIG, Project
from tests.models import write_checkpoint


def test_a_run_searches_the_rates_of_a_checkpoint_first(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.leave_papers()
    write_checkpoint(tmp_path / "bert", "bert")
    domains = {"en": "meta_train", "it": "meta_dev", "nl": "meta_test"}
    task = CONFIG["tasks"]["wikiann"] | {"domains": domains, "train": {"steps": 2}, "max_length": 48}
    changes = {"rates": "search", "backbones": {"encoder": {"source": "local", "path": "bert"}}}
    project.configure(methods=["lora", "dapt", "majority"], tasks={"wikiann": task}, **changes)
    run = project.run()
    assert run.returncode == 0, run.stderr
    records = pd.read_parquet(tmp_path / "results" / "records.parquet").drop_duplicates("fingerprint")
    its = records.set_index("method")
    assert set(records.status) == {"done"}
    assert {name: set(rows) for name, rows in its.groupby(level=0).rates} == {
        "lora": {"searched"},
        "dapt": {"searched"},
        "majority": {"none"},
    }
    found = {file.name.split("-")[0]: json.loads(file.read_text()) for file in tmp_path.glob("results/tune/*/*.json")}
    for method, note in found.items():
        assert {json.loads(row)["lr"] for row in its.loc[method].train} == {note["train"]["lr"]}
        assert set(its.loc[method].tuning_seconds) == {note["cost"]["seconds"]}
    assert its.preparation_rates.to_dict() == {"lora": "none", "dapt": "given", "majority": "none"}
    board = (tmp_path / "results" / "leaderboard" / "wikiann.md").read_text()
    assert RATES_MARK not in board, "whose rates were searched or given needs no mark"
    assert "Nothing to be done" in project.run().stderr
