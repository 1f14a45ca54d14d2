"""What share of a run's CPU time is not arithmetic.

Runs a configuration from nothing in a folder of its own and prints, from one run: all CPU seconds of
Snakemake and its jobs, those spent inside pretraining, preparation, adaptation and prediction, and
the rest: imports, scheduling, reading, writing, scoring, tables.

    python benchmarks/overhead.py [config/default.yaml]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

from harness.base.files import read_json
from harness.contracts.config import DEFAULT
from harness.contracts.plan import Plan
from harness.contracts.plan_file import load_plan


def arithmetic_seconds(plan: Plan) -> dict[str, float]:
    """CPU seconds inside the arithmetic of each rule, as the jobs noted them."""
    cells = [read_json(Path(cell.folder) / "record.json")["costs"] for cell in plan.cells()]
    return {
        "pretraining": sum(read_json(Path(job.done))["cost"]["cpu_seconds"] for job in plan.backbones),
        "preparation": sum(
            read_json(Path(part.folder) / "prepared.json")["cost"]["cpu_seconds"]
            for job in plan.prepares
            for part in job.parts
        ),
        "adaptation and prediction": sum(cost.get("arithmetic_cpu_seconds", 0.0) for cost in cells),
    }


def main() -> None:
    """Run, measure, print."""
    config = Path(sys.argv[1] if len(sys.argv) > 1 else DEFAULT)
    with tempfile.TemporaryDirectory() as folder:
        content = yaml.safe_load(config.read_text()) | {"output": f"{folder}/results"}
        copy = Path(folder) / config.name
        copy.write_text(yaml.safe_dump(content))
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", str(copy)], check=True)
        wall = time.perf_counter() - begin
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        time.sleep(2)  # the run's server ends, and notes what it used, after Snakemake has
        forked = pd.read_csv(Path(folder) / "results" / "logs" / "cpu.csv", names=["what", "seconds"])
        total = used.ru_utime + used.ru_stime + float(forked.seconds.sum())
        parts = arithmetic_seconds(load_plan(Path(folder) / "results" / "plan.json"))
    print(f"{'Snakemake and its callers':<28}{used.ru_utime + used.ru_stime:>9.1f} CPU s")
    for what, seconds in forked.groupby("what").seconds.sum().items():
        print(f"{f'process of rule {what}':<28}{seconds:>9.1f} CPU s")
    for name, seconds in parts.items():
        print(f"{name:<28}{seconds:>9.1f} CPU s{100 * seconds / total:>7.1f}%")
    rest = total - sum(parts.values())
    print(f"{'overhead':<28}{rest:>9.1f} CPU s{100 * rest / total:>7.1f}%")
    print(f"{'all':<28}{total:>9.1f} CPU s, {wall:.0f} s of wall time on two cores")


if __name__ == "__main__":
    main()
