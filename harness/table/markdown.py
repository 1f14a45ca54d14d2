"""Markdown tables: their lines, and numbers as readers see them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.score.scale import Scale

MOST_NAMED = 12  # of many, as personas, a reader is told the number
LARGEST = 700.0  # the exponential of more is infinite


def table(columns: Sequence[str], words: int, lines: Sequence[Sequence[str]]) -> str:
    """A table; the first `words` columns are words, the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(columns) - words)
    return "\n".join(line(cells) for cells in (columns, rule, *lines))


def line(cells: Sequence[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def listed(names: Sequence[str], what: str = "domains") -> str:
    """Names one after another; of many the first and how many there are."""
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{len(names)} {what}, {', '.join(names[:3])} and so on"


def with_interval(mean: float, low: float | None, high: float | None, digits: int) -> str:
    """A mean with its interval where there is one: "mean [low, high]"."""
    if low is None or high is None:
        return number(mean, digits)
    return f"{number(mean, digits)} [{number(low, digits)}, {number(high, digits)}]"


def difference(scale: Scale, value: float, low: float | None = None, high: float | None = None) -> str:
    """A difference on a metric's scale for readers; a ratio is shown as what it adds, in percent.

    A logarithm of 0.05 is "5.1%": the one perplexity is so much larger than the other.
    """
    if scale == "difference":
        return with_interval(value, low, high, 1)
    if low is None or high is None:
        return f"{number(_added(value), 1)}%"
    return f"{number(_added(value), 1)}% [{number(_added(low), 1)}, {number(_added(high), 1)}]"


def _added(log_ratio: float) -> float:
    return 100 * math.expm1(min(log_ratio, LARGEST))


def number(value: float, digits: int) -> str:
    """A number with `digits` decimals; a perplexity can be astronomic."""
    return f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.3g}"


def cost(value: float) -> str:
    """A cost with three places; a large one whole, with its thousands parted."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def count(value: float | None) -> str:
    """A whole number with its thousands parted; a dash where it is unknown."""
    return "–" if value is None else f"{round(value):,}"


def probability(value: float | None) -> str:
    """A p-value to four decimals; a dash where there is none."""
    return "–" if value is None else "< 0.0001" if value < 1e-4 else f"{value:.4f}"
