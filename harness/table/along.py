"""Scores along the way of a training: which points there are, and a figure over them and over their seconds."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib import pyplot

from harness.contracts.budget import in_words
from harness.contracts.plan import Plan
from harness.record.read import read_along
from harness.table.figures import entitle, save, scale_axis, styles_of
from harness.table.scores import TaskScores, Value

BEYOND = 2.0  # how far past the means an axis goes: the interval of what has not trained yet may end anywhere
CELL = ["task", "method", "domain", "budget", "seed"]
WIDTH, HEIGHT = 4.6, 3.4  # inches of a panel


def points_of(along: pd.DataFrame, task: str) -> list[float]:
    """The points at which a task was scored, in their order."""
    return sorted({float(point) for point in along[along.task == task].point})


def scores_at(plan: Plan, along: pd.DataFrame, task: str, point: float) -> TaskScores:
    """The scores of a task at a point. What a training ended with may have been scored on the way, too: it is one."""
    mine = along[(along.task == task) & (along.point == point)]
    return TaskScores(plan, mine.drop_duplicates([*CELL, "metric"], keep="last"), task)


def write_along(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/figures/<task>.along.png` and `.svg` of every task that is scored along the way."""
    along = read_along(plan) if plan.along else None
    for task in plan.along:
        save(draw(plan, along, task), plan, f"{task}.along")


def draw(plan: Plan, along: Any, task: str) -> Any:
    """A line of panels a budget: the mean over domains by point of the training, and by the seconds until there."""
    points = points_of(along, task)
    at = {point: scores_at(plan, along, task, point) for point in points}
    whole = TaskScores(plan, along[along["last"].astype(bool)], task)
    styles, budgets = styles_of(whole), whole.budgets
    size = 2 * WIDTH + 2.4, max(1, len(budgets)) * HEIGHT + 0.6
    figure, axes = pyplot.subplots(max(1, len(budgets)), 2, figsize=size, squeeze=False, layout="constrained")
    for line, budget in zip(axes, budgets, strict=False):
        shown: list[Value] = []
        for method, style in styles.items():
            found = {point: its.value(method, its.domains, [budget]) for point, its in at.items()}
            known = {point: value for point, value in found.items() if value.mean is not None}
            shown += known.values()
            seconds = _seconds(along, task, method, budget)
            _line(line[0], list(known.items()), style, whole.label(method))
            _line(line[1], [(seconds[point], value) for point, value in known.items()], style, whole.label(method))
        for panel in line:
            scale_axis(panel, whole, shown)
            _limit(panel, [value.mean for value in shown if value.mean is not None])
        line[0].set_title(in_words(budget), fontsize=9)
        line[0].set_ylabel(whole.run.metric_in_words, fontsize=8)
    for panel, axis in zip(axes[-1], (_unit(along, task), "seconds of training"), strict=True):
        panel.set_xlabel(axis, fontsize=8)
    handles, names = axes[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside right upper", frameon=False, fontsize=8)
    entitle(figure, whole, ", mean over domains along the way")
    return figure


def _limit(panel: Any, means: list[float]) -> None:
    """Cut the bars of a logarithmic axis that would leave the lines no room."""
    if means and panel.get_yscale() == "log":
        low, high = panel.get_ylim()
        panel.set_ylim(max(low, min(means) / BEYOND), min(high, max(means) * BEYOND))


def _unit(along: pd.DataFrame, task: str) -> str:
    return ", ".join(sorted(set(along[along.task == task].unit))) or "steps"


def _seconds(along: pd.DataFrame, task: str, method: str, budget: int) -> dict[float, float]:
    """The mean seconds of training until each point."""
    mine = along[(along.task == task) & (along.method == method) & (along.budget == budget)]
    means = mine.groupby("point", as_index=False).seconds.mean()
    return {float(point): float(seconds) for point, seconds in zip(means.point, means.seconds, strict=True)}


def _line(panel: Any, spots: list[tuple[float, Value]], style: dict[str, Any], label: str) -> None:
    if not spots:
        return
    x = [place for place, _ in spots]
    panel.plot(x, [value.mean for _, value in spots], label=label.replace("$", r"\$"), **style, linewidth=1.2)
    bars = [(place, value.low, value.high) for place, value in spots if value.low is not None]
    panel.vlines(*zip(*bars, strict=True) if bars else ([], [], []), color=style["color"], linewidth=1.0, alpha=0.35)
    panel.spines[["top", "right"]].set_visible(False)
