"""Write docs/methods.md: every method, its paper row, what is trained when, its settings, and its cost.

All but the costs is read from the folders. Costs are those of whole.yaml's run, where one stands in results/whole/.

    python benchmarks/methods.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from harness.base.files import write_text
from harness.contracts.adaptation import Control
from harness.contracts.discover import Method, methods
from harness.contracts.papers import papers
from harness.parts.build import adaptations_of, preparation_of
from harness.prepare.dapt import Dapt
from harness.prepare.meta import Meta
from harness.prepare.multitask import Multitask

PAGE = Path("docs/methods.md")
BOARDS = Path("results/whole/leaderboard")
HEAD = """# Methods

Written by `benchmarks/methods.py` from the folders below `methods/`. A method is a preparation of the backbone, and an
adaptation that learns the target domain's k examples. "Everything" is the body, the head, and what the adaptation
adds; the head trains on the target under every method that is no control. Rates are those of method.yaml; what
`headstart tune` found for a task stands in the folder's tuned.yaml and goes before them.
"""
COSTS = """
## Costs

Of `config/whole.yaml` on two cores, one thread a job: CPU seconds are seconds here, of a quarter of the default run's
steps. Preparation is for all prepared checkpoints of a task together, and spread over the domains and seeds that share
them.
"""


def paper_rows() -> dict[str, list[str]]:
    """For each method the rows of the papers' tables that it stands for."""
    found: dict[str, list[str]] = {}
    for paper, spec in papers().items():
        for table in spec.tables.values():
            for name, row in table.rows.items():
                text = f"{name} ({paper.split('-')[0]})"
                if row.method and text not in found.setdefault(row.method, []):
                    found[row.method].append(text)
    return found


def options_of(entry: dict[str, Any]) -> str:
    """Options in words, nested ones too."""
    words = []
    for name, value in entry.items():
        words.append(f"{name} ({options_of(value)})" if isinstance(value, dict) else f"{name} {value}")
    return ", ".join(words)


def learned_before(method: Method) -> str:
    """What the preparation trains."""
    preparation = preparation_of(method)
    if preparation is None:
        return ""
    if isinstance(preparation, Meta):
        outer = {"everything": "everything", "adaptation": "the adaptation"}[preparation.outer.updates]
        inner = {"everything": "everything", "adaptation": "the adaptation"}[preparation.inner.updates]
        head = {"carry": "the head carried over", "meta": "the head too", "fresh": "a fresh head each time"}
        return f"outer loop: {outer}; inner loop: {inner}; {head[preparation.head]}"
    if isinstance(preparation, Multitask):
        return {"backbone": "the backbone", "everything": "everything", "adaptation": "the adaptation"}[
            preparation.updates
        ]
    if isinstance(preparation, Dapt):
        return "the backbone"
    return "see its folder"


def row_of(name: str, method: Method, rows: dict[str, list[str]]) -> str:
    """One line of the table."""
    spec = method.spec
    preparation, its = spec.preparation
    prepared = "" if preparation == "none" else f"`{preparation}`" + (f": {options_of(its)}" if its else "")
    adapted = "; ".join(f"`{key}`" + (f": {options_of(value)}" if value else "") for key, value in spec.adapt.items())
    if isinstance(adaptations_of(method)[0], Control):
        adapted += " (no model)"
    kinds = ", ".join(spec.kinds) if spec.kinds else "all"
    train = f"{spec.train.optimizer}, lr {spec.train.lr:g}" if spec.train.steps else "nothing"
    cells = [f"`{name}`", spec.label, "; ".join(rows.get(name, [])), prepared, learned_before(method), adapted]
    return "| " + " | ".join([*cells, train, kinds]) + " |"


def table() -> list[str]:
    """The methods, one a line."""
    rows = paper_rows()
    lines = [
        "| method | label | paper row | preparation | it trains | adaptation | training | kinds |",
        "|" + "---|" * 8,
    ]
    return lines + [row_of(name, method, rows) for name, method in methods().items()]


def costs() -> list[str]:
    """Mean costs a cell by task, from the leaderboards."""
    lines = [COSTS, "| method | task | trained parameters | adaptation s | prediction s | preparation s | spread s |"]
    lines.append("|---|---|" + "---:|" * 5)
    for file in sorted(BOARDS.glob("*.csv")):
        if file.stem == "overall":
            continue
        board = pd.read_csv(file)
        for row in board[board.budget == "all"].sort_values("method").itertuples():
            numbers = [row.adaptation_seconds, row.prediction_seconds, row.preparation_seconds]
            words = [f"{float(value):.2f}" for value in [*numbers, row.preparation_seconds_spread]]  # type: ignore[arg-type]
            trained = "" if pd.isna(row.trained_parameters) else f"{int(row.trained_parameters)}"  # type: ignore[call-overload]
            lines.append(f"| `{row.method}` | {file.stem} | {trained} | " + " | ".join(words) + " |")
    return lines


def page() -> str:
    """The page without its costs."""
    return "\n".join([HEAD, *table()]) + "\n"


def main() -> None:
    """Write the page."""
    more = "\n".join(costs()) + "\n" if BOARDS.is_dir() else ""
    write_text(PAGE, page() + more)


if __name__ == "__main__":
    main()
