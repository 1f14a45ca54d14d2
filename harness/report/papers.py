"""Each paper's tables beside ours, and its figures with the points that were read from them."""

from __future__ import annotations

from collections.abc import Iterator

from harness.contracts.paper import Figure, PaperSpec
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
    for name, paper in material.papers.items():
        parts.append(tag("h3", paper.title))
        parts.append(tag("p", paper.citation, tag("span", f" {paper.url}") if paper.url else ""))
        for sheet in material.sheets[name]:
            parts.append(_sheet(sheet))
        for figure in paper.figures.values():
            parts.append(_figure(material, paper, figure))
        if paper.bibtex:
            parts.append(folded("BibTeX", tag("pre", paper.bibtex)))
    return tag("section", *parts)


def _sheet(sheet: Sheet) -> Html:
    """A table, and the same as text to copy."""
    table = Html(to_html(sheet))
    box = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=sheet.title)
    texts = (("Markdown", to_markdown(sheet)), ("LaTeX", to_latex(sheet)), ("CSV", csv_text(COLUMNS, to_rows(sheet))))
    return tag("article", tag("h4", sheet.title), box, *(folded(name, tag("pre", text)) for name, text in texts))


def _figure(material: Material, paper: PaperSpec, figure: Figure) -> Html:
    parts: list[Content] = [tag("h4", figure.title)]
    if figure.kind == "structure":
        parts.append(bullets(f"{edge}: {operation}" for edge, operation in figure.edges.items()))
    else:
        parts.append(_theirs(paper, figure))
        parts.append(_ours(material, figure))
    parts += [tag("p", note, class_="notes") for note in figure.notes]
    return tag("article", *parts)


def _theirs(paper: PaperSpec, figure: Figure) -> Html:
    """The paper's points, hollow, over their own axis."""
    found: dict[str, dict[str, float]] = {line: {} for line in figure.lines}
    for (row, column), reported in paper.numbers(figure.reported or "").items():
        axis, _, place = column.partition("=")
        if axis == figure.axis and row in found:
            found[row][place] = reported.value
    places = list(dict.fromkeys(place for its in found.values() for place in its))
    places.sort(key=lambda place: (not place.isdigit(), int(place) if place.isdigit() else 0))
    ticks = [(float(at), place) for at, place in enumerate(places)]
    series = [
        Series(line, line, [Point(float(places.index(place)), its[place]) for place in sorted(its, key=places.index)])
        for line, its in found.items()
        if its
    ]
    drawn = line_chart(f"{figure.title}: the paper", series, ticks, hollow=True)
    caption = f"the paper's points, read from the plot: {figure.metric} by {figure.axis}"
    return tag("figure", drawn, tag("figcaption", caption))


def _ours(material: Material, figure: Figure) -> Content:
    """Ours over budgets, where the run has such lines; else why it has none."""
    series = list(_our_lines(material, figure))
    if not series:
        why = {
            "steps": "a record keeps the score of the last step alone",
            "option": f"the run has no variants of {figure.option}",
        }
        missing = f"the run does not have {figure.task} with these methods"
        return tag("p", f"Ours: {why.get(figure.kind, missing)}.", class_="notes")
    budgets = material.evidence.scores(str(figure.task)).budgets
    ticks = [(float(at), str(budget)) for at, budget in enumerate(budgets)]
    drawn = line_chart(f"{figure.title}: ours", series, ticks)
    return tag("figure", drawn, tag("figcaption", f"ours, with 95% intervals: {figure.metric} by training examples"))


def _our_lines(material: Material, figure: Figure) -> Iterator[Series]:
    if figure.kind != "budgets" or not material.evidence.has(figure.task):
        return
    scores = material.evidence.scores(str(figure.task))
    for line, row in figure.lines.items():
        if row.method not in scores.methods:
            continue
        values = [(at, scores.value(row.method, scores.domains, [budget])) for at, budget in enumerate(scores.budgets)]
        points = [Point(float(at), its.mean, its.low, its.high) for at, its in values if its.mean is not None]
        if points:
            yield Series(line, line, points, scores.group(row.method), row.method)
