"""What is made of the records: `python -m harness.cli.report WHAT PLAN`, as the Snakefile calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from harness.adapt.record import FAILURES
from harness.base.files import write_json
from harness.contracts.plan import Plan, load_plan
from harness.record.collect import records_file, write_records
from harness.table.figures import write_figures
from harness.table.leaderboard import write_leaderboards
from harness.table.tables import write_tables

WRITERS: dict[str, Callable[[Plan, pd.DataFrame], None]] = {
    "tables": write_tables,
    "leaderboard": write_leaderboards,
    "figures": write_figures,
}


def outcome(plan: Plan, records: pd.DataFrame) -> int:
    """Say what failed; non-zero where something did and the configuration does not allow it."""
    cells = records.drop_duplicates(["method", "fingerprint"])
    counts = {status: int((cells.status == status).sum()) for status in ("done", *FAILURES, "missing")}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    print(f"headstart: {len(cells)} cells: {told}", file=sys.stderr)
    if counts["done"] < len(cells) and not plan.allow_failures:
        print("headstart: `headstart status` names them, `headstart retry` runs them again", file=sys.stderr)
        return 1
    write_json(Path(plan.output) / "outcome.json", counts)
    return 0


def main() -> int:
    """Write one kind of report."""
    what, plan_file = sys.argv[1:]
    plan = load_plan(Path(plan_file))
    if what == "collect":
        write_records(plan)
        return 0
    records = pd.read_parquet(records_file(plan))
    if what == "outcome":
        return outcome(plan, records)
    WRITERS[what](plan, records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
