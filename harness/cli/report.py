"""What is made of the records."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from harness.adapt.record import FAILURES
from harness.base.files import write_json
from harness.contracts.plan import Plan
from harness.paper.claims import write_claims
from harness.paper.figures import write_paper_figures
from harness.paper.tables import write_papers
from harness.record.collect import records_file, write_records
from harness.record.read import read_records
from harness.report.page import write_report
from harness.table.along import write_along
from harness.table.figures import write_figures
from harness.table.leaderboard import write_leaderboards
from harness.table.sparsity import write_sparsity
from harness.table.structures import write_structures
from harness.table.tables import write_tables
from harness.table.variants import write_variants

WRITERS: dict[str, list[Callable[[Plan, pd.DataFrame], None]]] = {
    "tables": [write_tables, write_sparsity],
    "leaderboard": [write_leaderboards],
    "figures": [write_figures, write_structures, write_along, write_variants],
    "papers": [write_papers, write_paper_figures],
    "claims": [write_claims],
    "report": [write_report],
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


def report(plan: Plan, what: str) -> int:
    """Write the records, or one kind of report on them; returns the exit status."""
    if what == "collect":
        write_records(plan)
        return 0
    records = read_records(records_file(plan))
    if what == "outcome":
        return outcome(plan, records)
    for write in WRITERS[what]:
        write(plan, records)
    return 0
