"""A task's leaderboard for readers: who leads, who cannot be told apart, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from harness.table.markdown import count, difference, number, probability, table, with_interval
from harness.table.pivot import POWER
from harness.table.rows import Row, value_of
from harness.table.scores import LEAK_MARK, LEAKING, TaskScores
from harness.table.standing import Selection, bounds_in_words, selections, standing

COLUMNS = (
    "rank", "group", "method", "id", "mean", "p", "detectable", "trained", "stored bytes", "preparation s",
    "tuning s", "adaptation s", "cells",
)  # fmt: skip
MEANING = (
    "Methods of one group cannot be told from its leader: the two-sided test of the paired difference (unit: the seed) "
    "gives p above 5%, corrected over all pairs of the board (Holm). What a pair's few seeds say of their own variance "
    "is moderated by all pairs of contenders (Smyth, 2004). *Detectable* is the smallest true difference to the leader "
    f"(a leader's to the next) that this test, before the correction, would see in {POWER:.0%} of runs. "
    "Preparation is spread over the (domain, seed) that share it; tuning is all of the searches for a row's rates; "
    "adaptation is the mean of a cell."
)
MARKS = "A control bounds the board. – marks a hole: no mean is taken over missing cells, and what has one has no rank."

SAMPLED = (
    "The {count} domains are a sample of many: intervals and tests speak of all of them. The spread is the standard "
    "deviation of the domains' own means."
)


def board_page(scores: TaskScores, rows: Sequence[Row]) -> str:
    """The board as Markdown, all budgets together first."""
    run = scores.run
    parts = [f"# {run.label}: leaderboard", MEANING, MARKS]
    better = "higher" if run.direction == "max" else "lower"
    parts.append(f"{run.metric_in_words}, {better} is better. Source: {run.source}. Seeds: {len(scores.seeds)}.")
    parts.append(f"Backbone: {run.backbone} ({scores.model}).")
    if scores.sampled:
        parts.append(SAMPLED.format(count=len(scores.domains)))
    columns = [*COLUMNS, *(["spread"] if scores.sampled else [])]
    *each, together = selections(scores)
    for chosen in (together, *each):
        lines = [_line(scores, row) for row in rows if row["budget"] == chosen.name]
        parts += [f"## {chosen.title}", *_head(scores, chosen), table(columns, 4, lines)]
    return "\n\n".join([*parts, *([LEAKING] if scores.leaking else []), *scores.rates_note()]) + "\n"


def _head(scores: TaskScores, chosen: Selection) -> list[str]:
    """The board's resolution, what it can see where two contenders could be tested, and who is below a control."""
    its, words = standing(scores, chosen.budgets), []
    if its.resolution is not None and its.typical_detectable is not None:
        seen = difference(scores.scale, its.typical_detectable)
        words.append(
            f"Resolution: {its.resolution:.2f} of the pairs of contenders are told apart; the smallest difference "
            f"between two that can be seen is {seen} (the median over pairs)."
        )
    return [part for part in (*words, bounds_in_words(scores, its)) if part]


def shown_in(scores: TaskScores, row: Row) -> dict[str, str]:
    """What a board shows of a method, by column; a dash where it is unknown."""
    value = partial(value_of, row)

    def shown(name: str, digits: int) -> str:
        known = value(name)
        return "–" if known is None else number(known, digits)

    mean, seen = value("mean"), value("smallest_detectable")
    digits = 1 if scores.run.direction == "max" else 2
    return {
        "rank": shown("rank", 0),
        "group": shown("tie_group", 0),
        "mean": "–" if mean is None else with_interval(mean, value("low"), value("high"), digits),
        "p": probability(value("p_value")),
        "detectable": "–" if seen is None else difference(scores.scale, seen),
        "trained": count(value("trained_parameters")),
        "stored": count(value("stored_bytes")),
        "preparation": shown("preparation_seconds_spread", 1),
        "tuning": shown("tuning_seconds", 1),
        "adaptation": shown("adaptation_seconds", 1),
        "cells": str(row["coverage"]),
    }


def _line(scores: TaskScores, row: Row) -> list[str]:
    its = shown_in(scores, row)
    mark = f" {LEAK_MARK}" if row["leaks"] else " (control)" if row["control"] else ""
    name = f"{row['label']}{mark}{scores.rates_mark(str(row['method']))}"
    spread = value_of(row, "spread")
    its_spread = ["–" if spread is None else difference(scores.scale, spread)] if scores.sampled else []
    return [its.pop("rank"), its.pop("group"), name, f"`{row['method']}`", *its.values(), *its_spread]
