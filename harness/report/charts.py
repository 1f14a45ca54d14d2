"""Drawings of the report as SVG without an id, so that none can stand twice; their colours are the page's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape

from harness.report.markup import Html, tag

LEFT, RIGHT, TOP, BOTTOM = 44.0, 34.0, 8.0, 30.0
TINY = 1e-9  # a logarithm needs something
DASHES = {"control": "4 3", "leaking": "1 3"}


@dataclass(frozen=True)
class Point:
    """A place with the ends of an interval where there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    label: str = ""


@dataclass(frozen=True)
class Series:
    """A line: its name for readers, the mark at its end, and whose it is."""

    name: str
    mark: str
    points: Sequence[Point]
    kind: str = "contender"
    method: str | None = None


def line_chart(
    title: str, series: Sequence[Series], ticks: Sequence[tuple[float, str]], hollow: bool = False, log: bool = False
) -> Html:
    """Lines over an axis whose places are given, each with its mark at the end; `hollow` points were read elsewhere.

    `log` draws heights as logarithms, as perplexities compare.
    """
    points = [point for its in series for point in its.points]
    if not points:
        return tag("p", f"{title}: nothing to draw.")
    width, height = 340.0, 230.0
    frame = _Frame(points, ticks, width, height, log)
    parts = [frame.axes()]
    for its, end in zip(series, frame.ends(series), strict=True):
        parts.append(_line(its, frame, end, hollow))
    return _svg(title, width, height, "".join(parts))


def scatter(title: str, points: Sequence[Point], methods: Sequence[str], x_name: str, log: bool = False) -> Html:
    """Points with their marks over a logarithmic axis; `log` draws their heights as logarithms too."""
    if not points:
        return tag("p", f"{title}: nothing to draw.")
    width, height = 340.0, 230.0
    logs = [Point(math.log10(point.x), point.y, label=point.label) for point in points]
    low, high = math.floor(min(point.x for point in logs)), math.ceil(max(point.x for point in logs))
    ticks = [(float(power), f"{10.0**power:g}") for power in range(low, max(high, low + 1) + 1)]
    frame = _Frame(logs, ticks, width, height, log)
    parts = [
        frame.axes(),
        f'<text class="tick" x="{width - RIGHT}" y="{height - 2}" text-anchor="end">{escape(x_name)}</text>',
    ]
    for point, method in zip(logs, methods, strict=True):
        x, y = frame.x(point.x), frame.y(point.y)
        words = f'<text x="{x + 4:.1f}" y="{y + 3:.1f}">{escape(point.label)}</text>'
        circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
        parts.append(f'<g data-method="{escape(method, quote=True)}">{circle}{words}</g>')
    return _svg(title, width, height, "".join(parts))


def forest(title: str, ours: Point | None, theirs: Sequence[float], smallest: float) -> Html:
    """An effect on one axis: zero, the band of what does not matter, the paper's hollow, ours with its interval."""
    values = [0.0, smallest, -smallest, *theirs]
    if ours is not None:
        values += [ours.x, ours.low if ours.low is not None else ours.x, ours.high if ours.high is not None else ours.x]
    low, high = min(values), max(values)
    width, height, margin = 240.0, 34.0, 8.0
    scale = (width - 2 * margin) / ((high - low) or 1.0)

    def at(value: float) -> float:
        return margin + (value - low) * scale

    parts = [
        f'<rect class="band" x="{at(-smallest):.1f}" y="3" width="{2 * smallest * scale:.1f}" height="28"/>',
        f'<line class="zero" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="1" y2="33"/>',
    ]
    for effect in theirs:
        x = at(effect)
        parts.append(f'<path class="theirs" d="M{x:.1f} 5l4 4l-4 4l-4 -4z"/>')
    if ours is not None:
        if ours.low is not None and ours.high is not None:
            parts.append(f'<line class="ours" x1="{at(ours.low):.1f}" x2="{at(ours.high):.1f}" y1="24" y2="24"/>')
        parts.append(f'<circle cx="{at(ours.x):.1f}" cy="24" r="3.5"/>')
    return _svg(title, width, height, "".join(parts), "forest")


@dataclass(frozen=True)
class _Frame:
    """Where values stand in a drawing."""

    points: Sequence[Point]
    ticks: Sequence[tuple[float, str]]
    width: float
    height: float
    log: bool = False

    @cached_property
    def _span(self) -> tuple[float, float]:
        """The ends of the heights, on the scale that is drawn."""
        ends = [end for point in self.points for end in (point.low, point.high, point.y) if end is not None]
        low, high = self._scaled(min(ends)), self._scaled(max(ends))
        room = 0.04 * ((high - low) or abs(high) or 1.0)
        return low - room, high + room

    def x(self, value: float) -> float:
        """The place of a value on the axis below."""
        low, high = min(place for place, _ in self.ticks), max(place for place, _ in self.ticks)
        inside = self.width - LEFT - RIGHT
        return LEFT + inside * ((value - low) / (high - low) if high > low else 0.5)

    def y(self, value: float) -> float:
        """The height of a value."""
        low, high = self._span
        return TOP + (self.height - TOP - BOTTOM) * (1 - (self._scaled(value) - low) / (high - low))

    def _scaled(self, value: float) -> float:
        return math.log(max(value, TINY)) if self.log else value

    def _heights(self) -> list[float]:
        """Round values inside the span."""
        low, high = self._span
        if not self.log:
            return nice(low, high)
        powers = range(math.floor(low / math.log(10)), math.ceil(high / math.log(10)) + 1)
        rounds = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        return [value for value in rounds if low <= math.log(value) <= high] or [math.exp((low + high) / 2)]

    def axes(self) -> str:
        """Both axes with their ticks."""
        parts = []
        for value in self._heights():
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text class="tick" x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{value:.4g}</text>')
        for place, words in self.ticks:
            x, y = self.x(place), self.height - BOTTOM + 12
            parts.append(f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(words)}</text>')
        return "".join(parts)

    def ends(self, series: Sequence[Series]) -> list[float]:
        """The heights of the marks at the lines' ends, moved apart so that each can be read."""
        wanted = sorted((self.y(its.points[-1].y), place) for place, its in enumerate(series) if its.points)
        apart, found = 9.0, [0.0] * len(series)
        last = -math.inf
        for height, place in wanted:
            last = max(height, last + apart)
            found[place] = last
        beyond = max(0.0, last - (self.height - BOTTOM + 4))
        return [height - beyond for height in found]


def _line(its: Series, frame: _Frame, end: float, hollow: bool) -> str:
    if not its.points:
        return ""
    path = "M" + "L".join(f"{frame.x(point.x):.1f} {frame.y(point.y):.1f}" for point in its.points)
    dash = f' stroke-dasharray="{DASHES[its.kind]}"' if its.kind in DASHES else ""
    parts = [f"<title>{escape(its.name)}</title>", f'<path class="line" d="{path}"{dash}/>']
    for point in its.points:
        x = frame.x(point.x)
        if point.low is not None and point.high is not None:
            low, high = frame.y(point.low), frame.y(point.high)
            parts.append(f'<line class="bar" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        kind = ' class="hollow"' if hollow else ""
        parts.append(f'<circle{kind} cx="{x:.1f}" cy="{frame.y(point.y):.1f}" r="2.4"/>')
    last = frame.x(its.points[-1].x)
    parts.append(f'<text class="end" x="{last + 6:.1f}" y="{end + 3:.1f}">{escape(its.mark)}</text>')
    whose = f' data-method="{escape(its.method, quote=True)}"' if its.method else ""
    return f'<g class="{its.kind}"{whose}>{"".join(parts)}</g>'


def nice(low: float, high: float) -> list[float]:
    """Four to eight round values between two."""
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    first = math.ceil(low / step)
    return [round((first + number) * step, 10) for number in range(int((high - first * step) / step + 1e-9) + 1)]


def _svg(title: str, width: float, height: float, inside: str, kind: str = "chart") -> Html:
    label = escape(title, quote=True)
    box = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return Html(
        f'<svg class="{kind}" role="img" aria-label="{label}" {box}><title>{escape(title)}</title>{inside}</svg>'
    )
