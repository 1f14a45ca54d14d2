"""The scores of a method's variants over the values of the option, as a figure."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib import pyplot

from harness.contracts.budget import in_words
from harness.contracts.plan import Plan
from harness.contracts.row import is_variant, row_name
from harness.table.figures import COLOURS, MARKERS, entitle, save
from harness.table.scores import TaskScores

WIDTH, HEIGHT = 4.6, 3.4  # inches of a panel


def write_variants(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/figures/<task>.variants.png` and `.svg` of every task on which a method has variants."""
    for task in plan.varied:
        save(draw(TaskScores(plan, records, task), values_by_option(plan, task)), plan, f"{task}.variants")


def values_by_option(plan: Plan, task: str) -> dict[tuple[str, str], dict[str, str]]:
    """The variants of each method and option, by their value, numbers in their order before words."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in (block.method for block in plan.blocks if block.task == task and is_variant(block.method)):
        method, option, value = row_name(name)
        found.setdefault((method, option), {})[value] = name
    return {which: dict(sorted(its.items(), key=lambda item: _order(item[0]))) for which, its in found.items()}


def _order(value: str) -> tuple[bool, float, str]:
    try:
        return False, float(value), value
    except ValueError:
        return True, 0.0, value


def draw(scores: TaskScores, options: dict[tuple[str, str], dict[str, str]]) -> Any:
    """A panel a method and option: the mean over domains by its values, a line a budget."""
    size = WIDTH * len(options) + 2.6, HEIGHT + 0.6
    figure, axes = pyplot.subplots(1, len(options), figsize=size, squeeze=False, layout="constrained")
    for panel, ((method, option), variants) in zip(axes[0], options.items(), strict=True):
        for place, budget in enumerate(scores.budgets):
            values = [scores.value(name, scores.domains, [budget]) for name in variants.values()]
            style = {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}
            known = [(x, its) for x, its in enumerate(values) if its.mean is not None]
            panel.plot([x for x, _ in known], [its.mean for _, its in known], label=in_words(budget), **style)
            for x, its in known:
                if its.low is not None:
                    panel.vlines(x, its.low, its.high, color=style["color"], linewidth=1.0, alpha=0.35)
        panel.set_xticks(range(len(variants)), list(variants), fontsize=8)
        panel.set_xlabel(option, fontsize=8)
        panel.set_ylabel(scores.run.metric_in_words, fontsize=8)
        panel.set_title(scores.label(method).replace("$", r"\$"), fontsize=9)
        panel.spines[["top", "right"]].set_visible(False)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", frameon=False, fontsize=8)
    entitle(figure, scores, ", mean over domains by an option")
    return figure
