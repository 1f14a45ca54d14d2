"""Methods and what they cost, every hole with its reason, how to read the page, and where its numbers come from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from harness.record.read import each_row
from harness.report.markup import Content, Html, bullets, rows, tag
from harness.report.material import Material
from harness.table.markdown import cost

READING = (
    "The unit is the seed: one prepared checkpoint a seed serves all domains and budgets. Intervals are 95%, of the "
    "seeds and of the test examples.",
    "Not told apart is not equal: look at the smallest difference that could have been seen.",
    "Perplexities are averaged and compared as logarithms; a percentage is by how much the one is the larger.",
    "A hole is a hole: no mean is taken over missing cells, and what has one has no rank.",
    "A claim is supported, contradicted, inconclusive, or not run with a reason; its certainty loses points for a "
    "setting that is not the paper's, a wide interval, domains that disagree, and a single backbone.",
    "Reported numbers stand beside ours; a difference is taken at the paper's own setting alone.",
)
MOST_HOLES = 200


def costs_and_holes(material: Material) -> Html:
    """The last section."""
    return tag(
        "section",
        tag("h2", "Methods and costs", id="costs"),
        _costs(material),
        tag("h2", "Holes", id="holes"),
        _holes(material),
        tag("h2", "How to read this", id="reading"),
        bullets(READING),
        tag("h2", "Provenance", id="provenance"),
        bullets(_provenance(material)),
    )


def _costs(material: Material) -> Html:
    """What each method is and its costs, the mean over all its finished cells."""
    cells, lines, methods = material.evidence.cells, [], []
    done = cells[cells.status == "done"]
    names = ["trained_parameters", "trained_share", "stored_bytes", "adaptation_seconds", "prediction_seconds"]
    numbers = done[names].apply(pd.to_numeric, errors="coerce")
    means = numbers.groupby(done.method).mean()
    for method, about in material.plan.methods.items():
        costs = [_shown(means.loc[method, name]) if method in means.index else "–" for name in names]
        kind = "control" if about["control"] else "method"
        lines.append([str(about["label"]), method, kind, str(about.get("paper") or "–"), *costs])
        methods.append(method)
    columns = ["method", "id", "kind", "paper", *(name.replace("_", " ") for name in names)]
    return rows("Means over the finished cells of all tasks", columns, lines, methods=methods, words=4)


def _shown(value: Any) -> str:
    return "–" if pd.isna(value) else cost(float(value))


def _holes(material: Material) -> Html:
    """Every cell without a score, those with the same reason together."""
    lost = material.evidence.lost
    if lost.empty:
        return tag("p", "There is none.")
    found: Counter[tuple[str, ...]] = Counter()
    for task, method, status, error in each_row(lost, ("task", "method", "status", "error")):
        found[str(task), str(method), str(status), _last(error)] += 1
    lines: list[list[Content]] = [
        [task, method, status, str(count), why] for (task, method, status, why), count in sorted(found.items())
    ]
    more = f", the first {MOST_HOLES} of {len(lines)} reasons" if len(lines) > MOST_HOLES else ""
    columns = ("task", "method", "status", "cells", "reason")
    return rows(f"Cells without a score{more}", columns, lines[:MOST_HOLES], words=5, kind="wrap")


def _last(error: Any) -> str:
    """The last line of a traceback."""
    lines = [] if pd.isna(error) else [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else "–"


def _provenance(material: Material) -> Iterator[str]:
    """Each state of the program and the machine that the records name, with its cells."""
    cells = material.evidence.cells
    yield f"{len(cells)} cells; output folder {material.plan.output}"
    for text, count in sorted(Counter(cells.provenance.dropna()).items()):
        its = json.loads(text)
        packages = ", ".join(f"{name} {version}" for name, version in sorted((its.get("packages") or {}).items()))
        commit = f"{its.get('commit') or 'no commit known'}{' with edits' if its.get('dirty') else ''}"
        known = [its[name] for name in ("vendor", "arithmetic") if its.get(name)]  # records of before do not say
        processor = f"{its.get('processor')} ({', '.join(known)})" if known else str(its.get("processor"))
        machine = f"{processor}, {its.get('accelerator') or 'no accelerator'}"
        program = f"protocol {its.get('protocol')}, {commit}; Python {its.get('python')}"
        yield f"{count} cells: {program}; {packages}; {machine}"
