"""The structures that TAMS's controllers settled on, as a picture: an operation for each edge of the cell."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pandas as pd
from matplotlib import pyplot
from matplotlib.patches import Patch, Rectangle

from harness.contracts.budget import told
from harness.contracts.plan import Plan
from harness.record.read import each_row
from harness.table.figures import COLOURS, backbone_in_title, save, write_title
from harness.table.scores import TaskScores

STRUCTURE = "tams_structure"  # its name in a cell's report
SIDE = 0.27  # inches of a square
# The cell's operations; importing it would import torch, which takes seconds.
OPERATIONS = ("linear", "conv3", "conv5", "glu", "zeroize", "skip")
COLOUR = dict(zip(OPERATIONS, COLOURS, strict=False)) | {"zeroize": "#e6e6e6"}
Facts = dict[str, str]  # edge to operation
Place = tuple[str, int, int]  # domain, budget, seed


def write_structures(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/figures/<task>.structures.png` and `.svg` of every task in which a method learns a structure."""
    for task in plan.structured:
        save(draw(TaskScores(plan, records, task), reported(records, task)), plan, f"{task}.structures")


def reported(records: pd.DataFrame, task: str) -> dict[str, dict[Place, Facts]]:
    """By method, the structure of each finished (domain, budget, seed)."""
    found: dict[str, dict[Place, Facts]] = defaultdict(dict)
    done = records[(records.task == task) & (records.status == "done") & records.report.notna()]
    names = ["method", "domain", "budget", "seed", "report"]
    for method, domain, budget, seed, report in each_row(done, names):
        facts = json.loads(report)
        if STRUCTURE in facts:
            found[method][domain, int(budget), int(seed)] = facts[STRUCTURE]
    return dict(found)


def draw(scores: TaskScores, found: dict[str, dict[Place, Facts]]) -> Any:
    """A panel a method: edges by (domain, budget, seed), a colour an operation; a cell that is not done stays white."""
    methods = [method for method in scores.methods if method in found]
    places = [(domain, budget, seed) for domain in scores.domains for budget in scores.budgets for seed in scores.seeds]
    edges = next((list(facts) for method in methods for facts in found[method].values()), [])
    size = 2.6 + SIDE * max(12, len(places)), 1.2 + max(1, len(methods)) * (SIDE * len(edges) + 0.5)
    figure, axes = pyplot.subplots(max(1, len(methods)), figsize=size, squeeze=False, layout="constrained", sharex=True)
    for panel, method in zip(axes.flat, methods, strict=False):
        _draw_panel(panel, places, edges, found[method])
        panel.set_title(scores.label(method).replace("$", r"\$"), fontsize=10)
    if methods:
        step = len(scores.seeds)
        words = [f"{domain}\nk = {told(budget)}" for domain, budget, _ in places[::step]]
        axes[-1][0].set_xticks([start + step / 2 for start in range(0, len(places), step)], words, fontsize=7)
    else:
        axes[0][0].text(0.5, 0.5, "no cell with a structure is done", ha="center")
        axes[0][0].set_axis_off()
    handles = [Patch(color=colour, label=operation) for operation, colour in COLOUR.items()]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=8)
    chosen = "structures that the controllers chose; a column a seed"
    write_title(figure, scores.run.label, chosen, backbone_in_title(scores))
    return figure


def _draw_panel(panel: Any, places: list[Place], edges: list[str], structures: dict[Place, Facts]) -> None:
    for column, place in enumerate(places):
        for line, edge in enumerate(edges):
            if operation := structures.get(place, {}).get(edge):
                panel.add_patch(Rectangle((column, line), 0.94, 0.9, color=COLOUR[operation]))
    panel.set(xlim=(0, len(places)), ylim=(len(edges), 0))
    panel.set_yticks([line + 0.45 for line in range(len(edges))], edges, fontsize=8)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
