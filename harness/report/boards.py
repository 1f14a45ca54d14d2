"""Leaderboards by task and budget, score against cost, and learning curves."""

from __future__ import annotations

from collections.abc import Sequence

from harness.contracts.budget import told
from harness.report.charts import Point, Series, line_chart, scatter
from harness.report.markup import Content, Html, folded, join, rows, tag
from harness.report.material import Material
from harness.table.board_page import shown_in
from harness.table.rows import ALL, Row, value_of
from harness.table.scores import LEAKING, TaskScores
from harness.table.standing import bounds_in_words, selections, standing

COLUMNS = (
    "method", "rank", "group", "mean", "p to its leader", "detectable", "trained", "stored bytes",
    "preparation s", "adaptation s", "cells",
)  # fmt: skip


def boards(material: Material) -> Html:
    """The section of leaderboards."""
    parts: list[Content] = [tag("h2", "Leaderboards", id="boards")]
    parts.append(
        tag(
            "p",
            "Methods of one group cannot be told from its leader; a band is a group. Numbers at the ends of lines and "
            "beside points are ranks over all budgets; x marks a control or what has no rank. Your own method is "
            "marked by adding #task=TASK&mine=METHOD to the address.",
        )
    )
    for task in material.plan.tasks:
        parts.append(_task(material, task))
    return tag("section", *parts)


def _task(material: Material, task: str) -> Html:
    scores, board = material.evidence.scores(task), material.boards[task]
    run = scores.run
    better = "higher" if run.direction == "max" else "lower"
    about = f"{run.metric_in_words}, {better} is better; source {run.source}; backbone {run.backbone}; "
    about += f"{len(scores.seeds)} seeds."
    parts: list[Content] = [tag("h3", run.label, id=f"task-{task}"), tag("p", about)]
    *each, together = selections(scores)
    for chosen in (together, *each):
        its = [row for row in board if row["budget"] == chosen.name]
        bounds = bounds_in_words(scores, standing(scores, chosen.budgets))
        table = _board(scores, f"{run.label}: {chosen.title.lower()}", its)
        if chosen is together:
            parts += [table, tag("p", bounds)] if bounds else [table]
        else:
            inside = [table, tag("p", bounds)] if bounds else [table]
            parts.append(folded(chosen.title, *inside, id_=f"task-{task}-{chosen.name}"))
    if scores.leaking:
        parts.append(tag("p", LEAKING))
    parts += [tag("p", note) for note in scores.rates_note()]
    marks = _marks([row for row in board if row["budget"] == ALL])
    parts.append(_cost(scores, [row for row in board if row["budget"] == ALL], marks))
    parts.append(_curves(scores, marks))
    return tag("article", *parts)


def _board(scores: TaskScores, caption: str, its: Sequence[Row]) -> Html:
    groups = [row["tie_group"] for row in its]
    classes = []
    for place, row in enumerate(its):
        kind = "leaking" if row["leaks"] else "control" if row["control"] else ""
        if row["rank"] is None:
            kind = kind or "unranked"
        band = "odd" if isinstance(groups[place], int) and int(str(groups[place])) % 2 else ""
        first = "first" if place and groups[place] != groups[place - 1] else ""
        classes.append(" ".join(filter(None, (kind, band, first))))
    lines = [_line(scores, row) for row in its]
    return rows(caption, COLUMNS, lines, classes, [str(row["method"]) for row in its])


def _line(scores: TaskScores, row: Row) -> list[Content]:
    its = shown_in(scores, row)
    mark = " (sees the future)" if row["leaks"] else " (control)" if row["control"] else ""
    del its["tuning"]  # the page has no column for it
    return [f"{row['label']}{mark}{scores.rates_mark(str(row['method']))}", *its.values()]


def _marks(together: Sequence[Row]) -> dict[str, str]:
    """What stands at a method's line: its rank over all budgets."""
    ranked = {str(row["method"]): row["rank"] for row in together if not row["control"]}
    return {str(row["method"]): str(ranked.get(str(row["method"])) or "x") for row in together}


def _cost(scores: TaskScores, together: Sequence[Row], marks: dict[str, str]) -> Html:
    """The mean score against the seconds of a cell, its share of the preparation among them."""
    points, methods = [], []
    for row in together:
        mean, spent = value_of(row, "mean"), value_of(row, "adaptation_seconds")
        share = value_of(row, "preparation_seconds_spread")
        if mean is None or spent is None or share is None or spent + share <= 0:
            continue
        points.append(Point(spent + share, mean, label=marks[str(row["method"])]))
        methods.append(str(row["method"]))
    log = scores.scale == "log_ratio"
    drawn = scatter(
        f"{scores.run.label}: {scores.run.metric_in_words} against seconds", points, methods, "seconds a cell", log
    )
    caption = f"{scores.run.metric_in_words} against the seconds of a cell, with its share of the preparation"
    return tag("figure", drawn, tag("figcaption", caption))


def _curves(scores: TaskScores, marks: dict[str, str]) -> Html:
    """A drawing of the domains' mean, and one of each where they are no sample."""
    ticks = [(float(place), str(told(budget))) for place, budget in enumerate(scores.budgets)]
    drawn: list[Content] = []
    log = scores.scale == "log_ratio"
    for name in [scores.mean_in_words, *scores.own_columns]:
        domains = [name] if name in scores.own_columns else scores.domains
        series = [its for method in scores.methods if (its := _series(scores, method, domains, marks)).points]
        metric = scores.run.metric_of(name) if name in scores.own_columns else scores.run.metric_in_words
        title = f"{scores.run.label}, {name}: {metric} by training examples"
        caption = f"{name}: {metric} by training examples"
        drawn.append(tag("figure", line_chart(title, series, ticks, log=log), tag("figcaption", caption)))
    return join([drawn[0], *([folded("Each domain", *drawn[1:])] if drawn[1:] else [])])


def _series(scores: TaskScores, method: str, domains: Sequence[str], marks: dict[str, str]) -> Series:
    points = []
    for place, budget in enumerate(scores.budgets):
        value = scores.value(method, domains, [budget])
        if value.mean is not None:
            points.append(Point(float(place), value.mean, value.low, value.high))
    return Series(scores.label(method), marks.get(method, "x"), points, scores.group(method), method)
