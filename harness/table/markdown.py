"""Markdown tables: their lines, and numbers as readers see them."""

from __future__ import annotations

from collections.abc import Sequence


def table(columns: Sequence[str], words: int, lines: Sequence[Sequence[str]]) -> str:
    """A table; the first `words` columns are words, the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(columns) - words)
    return "\n".join(line(cells) for cells in (columns, rule, *lines))


def line(cells: Sequence[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def with_interval(mean: float, low: float | None, high: float | None, digits: int) -> str:
    """A mean with its interval where there is one: "mean [low, high]"."""
    if low is None or high is None:
        return number(mean, digits)
    return f"{number(mean, digits)} [{number(low, digits)}, {number(high, digits)}]"


def number(value: float, digits: int) -> str:
    """A number with `digits` decimals; a perplexity can be astronomic."""
    return f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.3g}"
