"""`headstart list`: what was discovered. It imports no plug-in's code that it can do without."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from harness.base.paths import own_files
from harness.base.wording import counted
from harness.cli.columns import aligned
from harness.contracts.discover import Method, methods, tasks
from harness.contracts.papers import papers
from harness.parts.build import leaks


def show_list(options: Namespace) -> int:
    """Print what was discovered, a line each or as JSON."""
    rows: dict[str, dict[str, Any]]
    if options.what == "methods":
        rows = {
            name: method.spec.model_dump() | {"leaks": may_leak(method) and leaks(method)}
            for name, method in methods().items()
        }
        lines = [(name, row["label"], row["summary"] + _mark(row["leaks"])) for name, row in rows.items()]
    elif options.what == "tasks":
        rows = {name: task.spec.model_dump() for name, task in tasks().items()}
        lines = [(name, row["label"], row["summary"]) for name, row in rows.items()]
    else:
        rows = {name: paper.model_dump() for name, paper in papers().items()}
        lines = [
            (name, row["title"], f"{counted(len(row['tables']), 'table')}, {counted(len(row['claims']), 'claim')}")
            for name, row in rows.items()
        ]
    print(json.dumps(rows, indent=2) if options.json else "\n".join(aligned(lines)))
    return 0


def _mark(leaks: bool) -> str:
    return " (sees the future: no rank in causal tasks)" if leaks else ""


def may_leak(method: Method) -> bool:
    """Whether a folder's own code, which may take seconds to import, has to be asked whether it sees the future.

    What neither says `leaks` nor refines an adaptation of the harness that does has the answer that all have at first.
    """
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in own_files(method.folder, ".py")]
    return not texts or any(word in text for text in texts for word in ("leaks", "harness.adaptations"))
