"""What `headstart plan` and `headstart status` cost: CPU seconds for the default and for a run of 85,000 cells.

The large run is every method on the default's tasks, over as many seeds as make so many cells; nothing of it is
computed. It is planned with nothing done, and with made-up records of all its cells. Prints the CPU seconds of each
command and a digest of each plan, by which two states of the program are seen to plan the same.

    python benchmarks/light_commands.py [--cells 85000]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from harness.adapt.record import RECORD
from harness.contracts.config import DEFAULT, read_config
from harness.contracts.plan import Plan
from harness.plan.entry import make_plan

COSTS = {"adaptation_seconds": 1.0, "prediction_seconds": 0.1, "trained_tokens": 30000}


def large(output: str, wanted: int) -> dict[str, Any]:
    """A configuration of about so many cells."""
    content, _ = read_config([Path(DEFAULT)])
    content |= {"output": output, "methods": "all", "seeds": [0]}
    one = sum(1 for _ in make_plan(DEFAULT, content).cells())
    return content | {"seeds": list(range(round(wanted / one)))}


def make_up_records(plan: Plan) -> None:
    """Let every cell of a plan be done."""
    for cell in plan.cells():
        folder = Path(cell.folder)
        folder.mkdir(parents=True)
        record = {"fingerprint": cell.fingerprint, "status": "done", "costs": COSTS}
        (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")


def tell(what: str, command: str, file: str) -> None:
    """Run a command and print the CPU seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "harness.cli.main", command, "--configfile", file], check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what:<34}{command:<8}{seconds:>6.1f} CPU s", flush=True)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=85_000)
    wanted = parser.parse_args().cells
    for command in ("plan", "status"):
        tell("the default", command, DEFAULT)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.yaml"
        file.write_text(yaml.safe_dump(large(f"{folder}/results", wanted), sort_keys=False), encoding="utf-8")
        plan = make_plan(str(file))
        cells = list(plan.cells())
        for command in ("plan", "status"):
            tell(f"{len(cells):,} cells, none done", command, str(file))
        make_up_records(plan)
        for command in ("plan", "status"):
            tell(f"{len(cells):,} cells, all done", command, str(file))
    prints = " ".join(cell.fingerprint for cell in cells)
    print(f"digest of the cells' fingerprints: {hashlib.sha256(prints.encode()).hexdigest()[:16]}")


if __name__ == "__main__":
    main()
