"""The fault drill sees every digit that moves, and nothing that may differ from run to run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.drill_digits import digits, halves, moved
from benchmarks.drill_runs import Hang, Run
from tests.e2e.project import wait_until
from tests.project import ROOT, text

RECORD = {"costs": {"last_loss": 1.5, "adaptation_seconds": 3.0, "peak_rss_mib": 9.0}, "provenance": {"host": "a"}}
PAGE = "# A board\n\n| id | mean | adaptation s |\n| --- | --- | --- |\n| lora | 1.5 | 0.3 |\n\nIn 0.3 s.\n"
BOARD = "method,mean,low,adaptation_seconds\nlora,1.5,,3\n"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A little of what a run leaves."""
    text("cells/a/record.json", json.dumps(RECORD | {"folder": "x", "checkpoint": None}))(tmp_path)
    text("cells/a/predictions.jsonl", '{"predicted": 1}\n')(tmp_path)
    text("prepared/a/model.safetensors", b"\x00\x01")(tmp_path)
    text("leaderboard/a.csv", BOARD)(tmp_path)
    text("leaderboard/a.md", PAGE)(tmp_path)
    text("logs/cpu.csv", "data,0.1\n")(tmp_path)
    pd.DataFrame({"score": [0.1], "error": [None], "prediction_seconds": [2.0]}).to_parquet(
        tmp_path / "records.parquet"
    )
    return tmp_path


MOVES = [
    ("cells/a/record.json", json.dumps(RECORD).replace("1.5", "1.5000001")),
    ("cells/a/record.json", json.dumps(RECORD).replace("last_loss", "first_loss")),
    ("cells/a/predictions.jsonl", '{"predicted": 1} \n'),
    ("prepared/a/model.safetensors", b"\x00\x02"),
    ("leaderboard/a.csv", BOARD.replace("1.5,,", "1.5,0.0,")),
    ("leaderboard/a.csv", BOARD.replace("low", "high")),
    ("leaderboard/a.md", PAGE.replace("1.5", "1.6")),
    ("leaderboard/a.md", PAGE.replace("mean", "median")),
    ("leaderboard/a.md", PAGE.replace("A board", "The board")),
    ("tables/new.md", "x"),
]


@pytest.mark.parametrize(("file", "content"), MOVES, ids=[f"{i} {file}" for i, (file, _) in enumerate(MOVES)])
def test_a_digit_that_moves_is_seen(file: str, content: str | bytes, output: Path) -> None:
    before = digits(output)
    text(file, content)(output)
    assert moved(before, digits(output)) == [file]


def test_a_score_that_moves_in_the_records_is_seen(output: Path) -> None:
    before = digits(output)
    pd.DataFrame({"score": [0.2], "error": [None], "prediction_seconds": [2.0]}).to_parquet(output / "records.parquet")
    assert moved(before, digits(output)) == ["records.parquet"]


def test_what_is_lost_is_seen(output: Path) -> None:
    before = digits(output)
    (output / "cells/a/predictions.jsonl").unlink()
    assert moved(before, digits(output)) == ["cells/a/predictions.jsonl"]


def test_times_memory_paths_and_logs_may_differ(output: Path) -> None:
    before = digits(output)
    other = json.dumps(RECORD | {"folder": "y", "checkpoint": "z"}).replace("3.0", "4.0").replace("9.0", "8.0")
    text("cells/a/record.json", other.replace('"host": "a"', '"host": "b"'))(output)
    text("leaderboard/a.csv", BOARD.replace(",3\n", ",4\n"))(output)
    text("leaderboard/a.md", PAGE.replace("0.3 |", "0.4 |"))(output)
    text("logs/cpu.csv", "data,0.2\n")(output)
    pd.DataFrame({"score": [0.1], "error": [None], "prediction_seconds": [3.0]}).to_parquet(output / "records.parquet")
    assert moved(before, digits(output)) == []


def test_a_half_is_seen(output: Path) -> None:
    assert halves(output) == []
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom harness.base.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as beside:\n    beside.write_text('x')\n    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(output / "cells" / "b.json")], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(halves(output)) == 1


def test_a_run_that_hangs_is_seen_and_ended(tmp_path: Path) -> None:
    run = Run([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "log", tmp_path)
    with pytest.raises(Hang, match="still there after 1 s"):
        run.wait(1.0)
    run.snakemake.wait(10)
    assert run.processes() == []


def test_a_process_that_outlives_its_run_is_found(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    )
    run = Run([sys.executable, "-c", program], tmp_path / "log", tmp_path)
    run.snakemake.wait(30)
    assert [process.pid for process in run.processes()] == [int(run.said())]
    run.stop()
    wait_until(lambda: run.processes() == [], seconds=10)
