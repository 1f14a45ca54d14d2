"""Two runs compared, for a reader: a short head, what changed, and a table of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.cli.columns import aligned
from harness.contracts.budget import told
from harness.record.folder import RunFolder
from harness.score.scale import unscaled
from harness.table.markdown import difference, number, probability
from harness.table.run_changes import changed_answers, changed_groups, warnings
from harness.table.runs import Comparison, Difference, Key

HEAD = ("task", "k", "method", "A", "B", "B less A", "p (Holm)", "how", "verdict")
MEANING = (
    "A row differs where its difference is beyond its interval with p corrected over all rows (Holm, 5%). The interval "
    "shown is the 95% one, before any correction: paired by seed and domain where both runs scored the same examples, "
    "else as of independent runs. Of perplexities a difference is by how many percent B's is the larger."
)
FIRST = ("differs", "no test", "not compared")
MOST = 12  # names in a line


def run_page(a: RunFolder, b: RunFolder, found: Comparison) -> str:
    """The whole comparison as text."""
    counts = Counter(its.verdict for its in found.differences)
    verdicts = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
    lines = [f"A is {a.folder}, B is {b.folder}", *(f"warning: {warning}" for warning in warnings(a, b))]
    lines += [f"{len(found.differences)} rows are in both: {verdicts}", MEANING]
    lines += [f"in {side} alone: {_listed(its)}" for side, its in zip("AB", found.alone, strict=True) if its]
    lines += [*_changes("tie group", changed_groups(a, b)), *_changes("answer", changed_answers(a, b)), ""]
    rows = sorted(found.differences, key=lambda its: (*FIRST, its.verdict).index(its.verdict))
    return "\n".join([*lines, *aligned([HEAD, *(_row(its) for its in rows)], right=(1, 3, 4, 6))])


def _changes(what: str, changes: Sequence[str] | None) -> list[str]:
    if changes is None:
        return [f"{what}s: not in both folders"]
    return [f"{what}s that changed: {len(changes)}", *(f"  {change}" for change in changes)]


def _row(its: Difference) -> tuple[str, ...]:
    task, budget, method = its.key
    digits = 2 if its.scale == "log_ratio" else 1
    means = ["–", "–"] if its.means is None else [number(unscaled(its.metric, mean), digits) for mean in its.means]
    less = "–" if its.estimate is None else difference(its.scale, its.estimate, *(its.interval or (None, None)))
    verdict = f"{its.verdict}: {its.why}" if its.why else its.verdict
    return task, str(told(budget)), method, *means, less, probability(its.p_holm), its.how or "–", verdict


def _listed(keys: Sequence[Key]) -> str:
    names = [f"{task} k={told(budget)} {method}" for task, budget, method in keys[:MOST]]
    more = f" and {len(keys) - MOST} more" if len(keys) > MOST else ""
    return f"{len(keys)} rows: {', '.join(names)}{more}"
