"""The papers' figures: what was read from the paper hollow, ours as lines with bands, each over its own axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib import pyplot

from harness.base.files import whole_file
from harness.contracts.papers import papers
from harness.contracts.plan import Plan
from harness.paper.curves import Curve, Panel, panel
from harness.paper.evidence import Evidence
from harness.table.figures import COLOURS, MARKERS

KINDS: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}
WIDTH, HEIGHT = 4.2, 3.4  # inches of a side


def write_paper_figures(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/papers/<id>/<figure>.svg`, `.png` and `.pdf` of every figure that is a curve."""
    evidence, found = Evidence(plan, records), papers()
    for paper in plan.papers:
        for name, figure in found[paper].figures.items():
            if figure.kind != "structure":
                save(panel(evidence, found[paper], name, figure), Path(plan.output) / "papers" / paper)


def save(its: Panel, folder: Path) -> None:
    """The same bytes for the same numbers; ids of an SVG are its own, so that two can stand in one page."""
    with matplotlib.rc_context({"svg.hashsalt": its.name, "pdf.fonttype": 42}):
        drawn = draw(its)
        for kind, metadata in KINDS.items():
            with whole_file(folder / f"{its.name}.{kind}") as beside:
                drawn.savefig(beside, format=kind, metadata=metadata, dpi=150)
        pyplot.close(drawn)


def draw(its: Panel) -> Any:
    """A matplotlib figure with a side for the paper and one for ours."""
    drawn, sides = pyplot.subplots(1, 2, figsize=(2 * WIDTH, HEIGHT), layout="constrained")
    names = list(dict.fromkeys(curve.name for curve in [*its.theirs, *its.ours]))
    for side, curves, places, axis, title in (
        (sides[0], its.theirs, its.places, its.axis, "the paper (read from the plot)"),
        (sides[1], its.ours, its.our_places, its.our_axis, "ours, bands 95% intervals"),
    ):
        for curve in curves:
            _line(side, curve, list(places), names.index(curve.name), hollow=side is sides[0])
        side.set_xticks(range(len(places)), places, fontsize=7)
        side.set_title(title, fontsize=9)
        side.set_xlabel(axis, fontsize=8)
        side.spines[["top", "right"]].set_visible(False)
        if curves:
            side.legend(fontsize=7, frameon=False)
            side.set_yscale("log" if its.scale == "log_ratio" else "linear")
            side.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(6))
            side.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
            side.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        else:
            side.set_yticks([])
            words = f"not run: {its.why}" if side is sides[1] else "nothing reported"
            side.text(0.5, 0.5, words, fontsize=7, ha="center", transform=side.transAxes, wrap=True, parse_math=False)
    sides[0].set_ylabel(its.metric, fontsize=8)
    drawn.suptitle(its.title.replace("$", r"\$"), fontsize=10)
    return drawn


def _line(side: Any, curve: Curve, places: list[str], number: int, hollow: bool) -> None:
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    x = [places.index(spot.place) for spot in curve.spots]
    face = "none" if hollow else colour
    style = {"color": colour, "marker": marker, "markerfacecolor": face, "markersize": 4, "linewidth": 1.1}
    side.plot(x, [spot.value for spot in curve.spots], label=curve.name.replace("$", r"\$"), **style)
    ends = [(spot.low, spot.high) for spot in curve.spots]
    if all(low is not None for low, _ in ends):
        side.fill_between(
            x, [low for low, _ in ends], [high for _, high in ends], color=colour, alpha=0.15, linewidth=0
        )
