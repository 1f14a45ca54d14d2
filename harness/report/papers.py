"""Each paper's tables beside ours, and its figures with the points that were read from them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.contracts.paper import Figure, PaperSpec
from harness.paper.curves import Curve, Panel, panel
from harness.paper.html import to_html
from harness.paper.latex import to_latex
from harness.paper.markdown import to_markdown
from harness.paper.sheet import Sheet
from harness.paper.tables import COLUMNS, to_rows
from harness.report.charts import Point, Series, line_chart
from harness.report.markup import Content, Html, bullets, folded, tag
from harness.report.material import Material
from harness.table.rows import csv_text


def papers(material: Material) -> Html:
    """The section of papers."""
    parts: list[Content] = [tag("h2", "Papers", id="papers")]
    for name in material.by_use:
        paper = material.papers[name]
        parts.append(tag("h3", paper.title))
        parts.append(tag("p", paper.citation, tag("span", f" {paper.url}") if paper.url else ""))
        for sheet in material.sheets[name]:
            parts.append(_sheet(sheet))
        for title, figure in paper.figures.items():
            parts.append(_figure(material, paper, title, figure))
        if paper.bibtex:
            parts.append(folded("BibTeX", tag("pre", paper.bibtex)))
    return tag("section", *parts)


def _sheet(sheet: Sheet) -> Html:
    """A table, and the same as text to copy."""
    table = Html(to_html(sheet))
    box = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=sheet.title)
    texts = (("Markdown", to_markdown(sheet)), ("LaTeX", to_latex(sheet)), ("CSV", csv_text(COLUMNS, to_rows(sheet))))
    copies = (folded(name, tag("pre", text), kind="copy") for name, text in texts)
    return tag("article", tag("h4", sheet.title), box, *copies)


def _figure(material: Material, paper: PaperSpec, name: str, figure: Figure) -> Html:
    parts: list[Content] = [tag("h4", figure.title)]
    if figure.kind == "structure":
        parts.append(bullets(f"{edge}: {operation}" for edge, operation in figure.edges.items()))
    else:
        its = panel(material.evidence, paper, name, figure)
        caption = f"the paper's points, read from the plot: {its.metric} by {its.axis}"
        parts.append(_side(its, "the paper", its.theirs, its.places, caption, hollow=True))
        caption = f"ours, with 95% intervals: {its.metric} by {its.our_axis}"
        if its.ours:
            parts.append(_side(its, "ours", its.ours, its.our_places, caption))
        else:
            parts.append(tag("p", f"Ours: not run; {its.why}.", class_="notes"))
    parts += [tag("p", note, class_="notes") for note in figure.notes]
    return tag("article", *parts)


def _side(
    its: Panel, whose: str, curves: Sequence[Curve], places: Sequence[str], caption: str, hollow: bool = False
) -> Html:
    """One side of a figure over its own axis."""
    at = {place: float(number) for number, place in enumerate(places)}
    series = [
        Series(
            curve.name,
            curve.name,
            [Point(at[spot.place], spot.value, spot.low, spot.high) for spot in curve.spots],
            curve.group,
            curve.method,
        )
        for curve in curves
    ]
    ticks = [(number, place) for place, number in at.items()]
    drawn = line_chart(f"{its.title}: {whose}", series, ticks, hollow, its.scale == "log_ratio")
    return tag("figure", drawn, tag("figcaption", caption))
