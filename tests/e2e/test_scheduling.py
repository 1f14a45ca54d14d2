"""What Snakemake does between the jobs of a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT

FREE = """
from harness.cli.scheduling import start_as_they_come

onstart:
    start_as_they_come(workflow)
"""
JOBS = """
rule all:
    input: expand("{number}", number=range(3))

rule one:
    output: "{number}"
    shell: "touch {output}"
"""
WAKES = """
import sys, threading

class Told(threading.Timer):
    def start(self):
        print("a timer was set", file=sys.stderr)
        super().start()

threading.Timer = Told
from snakemake.cli import main
main(["--cores", "1", "--quiet"])
"""


@pytest.mark.parametrize(("free", "sets_timers"), [(True, False), (False, True)])
def test_the_scheduler_sleeps_until_a_job_ends(free: bool, sets_timers: bool, tmp_path: Path) -> None:
    # Where Snakemake itself sets none any more, `start_as_they_come` can go.
    (tmp_path / "Snakefile").write_text((FREE if free else "") + JOBS)
    done = subprocess.run(
        [sys.executable, "-c", WAKES], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / name).exists() for name in "012")
    assert ("a timer was set" in done.stderr) == sets_timers


def test_a_run_is_started_so() -> None:
    assert FREE.strip().splitlines()[-1].strip() in (ROOT / "Snakefile").read_text()
