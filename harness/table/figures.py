"""Learning curves of a task: the score against the number of training examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, get_args

import matplotlib
import numpy as np
import pandas as pd

from harness.base.files import whole_file
from harness.contracts.budget import positions, told
from harness.contracts.plan import Plan
from harness.table.scores import Group, TaskScores, Value

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "headstart"  # else the same figure has other bytes at every run

from matplotlib import pyplot  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator  # noqa: E402

COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a4fb5", "#8c564b", "#000000", "#8f9a1c",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # no common factor with the colours: 70 methods before one recurs
CONTROL_MARKERS = ("x", "+", "1", "2", "3", "4")
GREYS = ("#555555", "#8a8a8a")
WIDTH, HEIGHT, LEGEND = 4.2, 3.9, 2.8  # inches of a panel and of a column of the legend
LEGEND_LINES = 5  # lines of the legend in an inch
TITLE_LETTERS = 12  # of a title in an inch
LOG_FROM = 3.0  # a perplexity that spans more than this ratio is drawn on a log scale


def write_figures(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/figures/<task>.png` and `.svg` of every task."""
    for task in plan.tasks:
        save(draw(TaskScores(plan, records, task)), plan, task)


def save(figure: Any, plan: Plan, name: str) -> None:
    """Write a figure as `<output>/figures/<name>.png` and `.svg`, the same bytes for the same numbers."""
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        with whole_file(Path(plan.output) / "figures" / f"{name}.{kind}") as beside:
            figure.savefig(beside, format=kind, metadata=metadata, dpi=150)
    pyplot.close(figure)


def draw(scores: TaskScores) -> Any:
    """A matplotlib figure: a panel a domain and one for their mean, which a sample has alone; a line a method."""
    names = [*scores.own_columns, scores.mean_in_words]
    columns = math.ceil(math.sqrt(len(names)))
    lines = math.ceil(len(names) / columns)
    legend = math.ceil(len(scores.methods) / (lines * HEIGHT * LEGEND_LINES))
    figure, axes = pyplot.subplots(
        lines,
        columns,
        figsize=(columns * WIDTH + legend * LEGEND, lines * HEIGHT + 0.6),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    curves = {name: _curves(scores, name) for name in names}
    for place, panel in enumerate(axes.flat):
        if place >= len(names):
            panel.set_axis_off()
            continue
        _draw_panel(panel, scores, curves[names[place]])
        panel.set_title(names[place], fontsize=10, fontweight="bold" if place == len(names) - 1 else "normal")
        panel.tick_params(labelbottom=place + columns >= len(names))
    scale_axis(axes[0][0], scores, [value for curve in curves.values() for its in curve.values() for value in its])
    better = "higher" if scores.run.direction == "max" else "lower"
    figure.supylabel(f"{scores.run.metric_in_words}, {better} is better", fontsize=10)
    figure.supxlabel("training examples of the target domain", fontsize=10)
    entitle(figure, scores)
    _legend(figure, scores, axes[0][0], max(legend, 1))
    return figure


def entitle(figure: Any, scores: TaskScores, more: str = "") -> None:
    """Say above a figure of scores the task, whose data, how many seeds, and the checkpoint."""
    mark = " (not the papers' data)" if scores.run.source == "embedded" else ""
    seeds = f"{len(scores.seeds)} seed{'s' if len(scores.seeds) != 1 else ''}, bars 95% intervals{more}"
    write_title(figure, scores.run.label, f"{scores.run.source} source{mark}; {seeds}", backbone_in_title(scores))


def write_title(figure: Any, *lines: str) -> None:
    """Write lines above a figure, each wrapped so that it ends within it."""
    letters = int(figure.get_figwidth() * TITLE_LETTERS)
    title = "\n".join(part for line in lines for part in wrap(line, letters))
    figure.suptitle(title, fontsize=10, x=0.01, horizontalalignment="left")


def backbone_in_title(scores: TaskScores) -> str:
    """Which checkpoint a figure's numbers are of, for its title."""
    return f"{scores.run.backbone}: {scores.model}".replace("$", r"\$")


def _curves(scores: TaskScores, name: str) -> dict[str, list[Value]]:
    domains = [name] if name in scores.own_columns else scores.domains
    return {m: [scores.value(m, domains, [budget]) for budget in scores.budgets] for m in scores.methods}


def styles_of(scores: TaskScores) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of each method, the same in every task of a run; controls are dashed and grey."""
    styles: dict[str, dict[str, Any]] = {}
    for place, method in enumerate(method for method in scores.about if not scores.control(method)):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        styles[method] = {"color": colour, "marker": marker, "linestyle": ":" if scores.leaks(method) else "-"}
    for place, method in enumerate(method for method in scores.about if scores.control(method)):
        colour, marker = GREYS[place % len(GREYS)], CONTROL_MARKERS[place % len(CONTROL_MARKERS)]
        styles[method] = {"color": colour, "marker": marker, "linestyle": "--"}
    return {method: style for method, style in styles.items() if method in scores.methods}


def _draw_panel(panel: Any, scores: TaskScores, curves: dict[str, list[Value]]) -> None:
    styles = styles_of(scores)
    budgets = np.asarray(positions(scores.budgets), dtype=np.float64)
    names = {place: str(told(budget)) for place, budget in zip(budgets, scores.budgets, strict=True)}
    # Lines are set apart a little, else the bars of many methods hide one another.
    apart = np.linspace(-0.06, 0.06, max(len(styles), 2))
    for shift, (method, style) in zip(apart, styles.items(), strict=False):
        values = curves[method]
        x = budgets * np.exp(shift)
        mean = _numbers([value.mean for value in values])
        low, high = _numbers([value.low for value in values]), _numbers([value.high for value in values])
        panel.plot(x, mean, linewidth=1.2, markersize=4.5, markeredgewidth=1.0, alpha=0.9, **style)
        panel.vlines(x, low, high, color=style["color"], linewidth=1.0, alpha=0.35)
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(list(budgets)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda place, _: names.get(place, "")))
    if scores.budgets:
        panel.set_xlim(budgets.min() / 1.3, budgets.max() * 1.3)
    panel.grid(axis="y", linewidth=0.4, alpha=0.5)
    panel.spines[["top", "right"]].set_visible(False)


def scale_axis(panel: Any, scores: TaskScores, values: Sequence[Value]) -> None:
    """A log scale for a perplexity that spans much; the panels share it."""
    means = [value.mean for value in values if value.mean is not None]
    if scores.run.metric == "perplexity" and means and max(means) > LOG_FROM * min(means):
        panel.set_yscale("log")
        if max(means) < 1000 * min(means):
            panel.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.yaxis.set_minor_locator(NullLocator())
    else:
        panel.yaxis.set_major_locator(MaxNLocator(6))


def _legend(figure: Any, scores: TaskScores, panel: Any, columns: int) -> None:
    """The legend beside the panels, best first; it says which methods are not drawn everywhere."""
    handles = []
    styles = styles_of(scores)
    for method in sorted(styles, key=lambda method: _standing(scores, method)):
        places = [(method, domain, budget) for domain in scores.domains for budget in scores.budgets]
        notes = {"contender": [], "leaking": ["sees the future"], "control": ["control"]}[scores.group(method)]
        notes = notes + ([] if all(scores.complete(place) for place in places) else ["has holes"])
        note = f" ({', '.join(notes)})" if notes else ""
        label = f"{scores.label(method)}{scores.rates_mark(method)}{note}".replace("$", r"\$")  # no formulas in names
        handles += panel.plot([], [], markersize=4.5, linewidth=1.2, label=label, **styles[method])
    if handles:
        title = f"best first, by the mean at {told(scores.budgets[-1])}"
        shape: dict[str, Any] = {"ncols": columns, "fontsize": 8, "title_fontsize": 8, "alignment": "left"}
        figure.legend(handles=handles, loc="outside right upper", frameon=False, title=title, **shape)


def _standing(scores: TaskScores, method: str) -> tuple[int, bool, float]:
    """Where a method stands in the legend: by its mean at the largest budget, then holes, leaks and controls."""
    mean = scores.value(method, scores.domains, scores.budgets[-1:]).mean
    sign = -1.0 if scores.run.direction == "max" else 1.0
    return get_args(Group).index(scores.group(method)), mean is None, sign * (mean or 0.0)


def _numbers(values: Sequence[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray([np.nan if value is None else value for value in values], dtype=np.float64)
