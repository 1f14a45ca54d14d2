"""The one model of a paper's figure: its points over its own axis, and ours over ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.contracts.budget import told
from harness.contracts.paper import Figure, PaperSpec
from harness.contracts.plan import Plan
from harness.contracts.row import row_name
from harness.paper.evidence import Evidence
from harness.score.scale import Scale, scale_of
from harness.table.scores import Group


@dataclass(frozen=True)
class Spot:
    """A value at a place of an axis, with its interval where there is one."""

    place: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Curve:
    """A line of a figure."""

    name: str
    spots: Sequence[Spot]
    group: Group = "contender"
    method: str | None = None


@dataclass(frozen=True)
class Panel:
    """A figure: two sides, each with its places from left to right. `why` says why ours has no line."""

    name: str
    title: str
    metric: str
    scale: Scale
    axis: str
    places: Sequence[str]
    theirs: Sequence[Curve]
    our_axis: str
    our_places: Sequence[str]
    ours: Sequence[Curve]
    why: str


def panel(evidence: Evidence, paper: PaperSpec, name: str, figure: Figure) -> Panel:
    """A figure over steps, budgets or the values of an option, filled."""
    found: dict[str, dict[str, float]] = {line: {} for line in figure.lines}
    for (row, column), reported in paper.numbers(figure.reported or "").items():
        axis, _, place = column.partition("=")
        if axis == figure.axis and row in found:
            found[row][place] = reported.value
    places = sorted({place for its in found.values() for place in its}, key=_order)
    theirs = [
        Curve(line, [Spot(place, its[place]) for place in places if place in its]) for line, its in found.items() if its
    ]
    ours = list(_ours(evidence, figure))
    known = {spot.place for curve in ours for spot in curve.spots}
    our_axis = evidence.unit(str(figure.task)) if figure.kind == "steps" else figure.option or "training examples"
    scale, axis = scale_of(figure.metric), figure.axis or ""
    why = "" if ours else _why(evidence, figure)
    our_places = sorted(known, key=_order)
    return Panel(name, figure.title, figure.metric, scale, axis, places, theirs, our_axis, our_places, ours, why)


def _order(place: str) -> tuple[bool, float]:
    """Numbers in their order, then words as All."""
    try:
        return False, float(place)
    except ValueError:
        return True, 0.0


def _ours(evidence: Evidence, figure: Figure) -> Iterator[Curve]:
    """Our lines: over the run's budgets, the variants that it has of a method, or the points of its trainings."""
    if figure.task is None or not evidence.has(figure.task) or figure.kind == "structure":
        return
    for line, row in figure.lines.items():
        task = evidence.plan.named(figure.task, row.backbone)
        if row.method is None or not evidence.has(task):
            continue
        scores = evidence.scores(task)
        points: dict[str, tuple[str, list[int]]] = {}
        if figure.kind == "steps":
            yield from _along(evidence, task, line, row.method)
        elif figure.kind == "option":
            its = variants(evidence.plan, task, row.method, str(figure.option))
            points = {f"{value:g}": (method, scores.budgets) for value, method in its.items()}
        elif row.method in scores.methods:
            points = {str(told(budget)): (row.method, [budget]) for budget in scores.budgets}
        values = {place: scores.value(method, scores.domains, budgets) for place, (method, budgets) in points.items()}
        spots = [Spot(place, its.mean, its.low, its.high) for place, its in values.items() if its.mean is not None]
        if spots:
            yield Curve(line, spots, scores.group(next(iter(points.values()))[0]), row.method)


def _along(evidence: Evidence, task: str, line: str, method: str) -> Iterator[Curve]:
    """A method's line over the points of its training, all budgets of the run together."""
    spots = []
    for point in evidence.points(task):
        scores = evidence.at(task, point)
        value = scores.value(method, scores.domains, scores.budgets) if method in scores.methods else None
        if value and value.mean is not None:
            spots.append(Spot(f"{point:g}", value.mean, value.low, value.high))
    if spots:
        yield Curve(line, spots, evidence.scores(task).group(method), method)


def variants(plan: Plan, task: str, method: str, option: str) -> dict[float, str]:
    """The variants of a method by the value of an option, as the run has them."""
    found = {}
    for block in plan.blocks:
        its = row_name(block.method)
        if block.task == task and (its.method, its.option) == (method, option):
            try:
                found[float(its.value)] = block.method
            except ValueError:
                continue  # a word, which has no place on an axis
    return dict(sorted(found.items()))


def _why(evidence: Evidence, figure: Figure) -> str:
    """Why ours has no line."""
    if not evidence.has(figure.task):
        return f"no task: the run does not have {figure.task}"
    if figure.kind == "steps":
        return f"no score was taken along the way of all cells: `evaluate_at` asks for them of {figure.task}"
    if figure.kind == "option":
        return f"the run has no variants of {figure.option}"
    return "the run has none of its methods, or every line has a hole"
