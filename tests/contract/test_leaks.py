"""A method that sees the future is marked all the way from its folder to the leaderboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from harness.cli.main import main
from harness.plan.entry import make_plan, release_locks
from harness.record.collect import write_records
from harness.record.read import read_records
from harness.table.leaderboard import write_leaderboards
from tests.project import backbone, copy_project

TINY = backbone("gpt2", "adaptsum_lm")


def test_the_mark_goes_from_the_folder_to_the_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_project(tmp_path)
    spec = yaml.safe_load((tmp_path / "methods" / "tams" / "method.yaml").read_text())
    (tmp_path / "methods" / "tams_symmetric").mkdir()
    spec["adapt"]["tams"]["padding"] = "symmetric"
    (tmp_path / "methods" / "tams_symmetric" / "method.yaml").write_text(yaml.safe_dump(spec))
    monkeypatch.chdir(tmp_path)
    config: dict[str, Any] = {
        "output": "results",
        "seeds": [0],
        "methods": ["tams", "tams_symmetric"],
        "tasks": {
            "adaptsum_lm": {
                "train": {"steps": 1},
                "budgets": [4],
                "test_examples": 3,
                "max_length": 48,
                "backbone": "tiny",
            }
        },
        "backbones": {"tiny": TINY},
        "rates": "given",
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    for method in config["methods"]:
        assert main(["run", "--configfile", "run.yaml", "--task", "adaptsum_lm", "--method", method]) == 0
        release_locks()  # as the end of the process would
    capsys.readouterr()
    assert main(["list", "methods"]) == 0
    marked = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "sees the future" in line]
    assert marked == ["tams_symmetric"]
    for file in Path("results/cells").glob("*/*/*/record.json"):
        assert json.loads(file.read_text())["leaks"] == (file.parents[1].name == "tams_symmetric")

    plan = make_plan("run.yaml")
    write_records(plan)
    records = read_records(Path("results/records.parquet"))
    assert set(records[records.leaks].method) == {"tams_symmetric"}
    write_leaderboards(plan, records)
    board = pd.read_csv("results/leaderboard/adaptsum_lm.csv").query("budget == 'all'").set_index("method")
    assert board["mean"].notna().all()
    assert board["rank"].to_dict() == pytest.approx({"tams": 1, "tams_symmetric": float("nan")}, nan_ok=True)
