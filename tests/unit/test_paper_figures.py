"""A paper's figure: its points over its own axis, ours over ours, and why where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot

from harness.contracts.paper import Figure, PaperSpec, Row
from harness.contracts.reported import Reported
from harness.paper.curves import Panel, panel
from harness.paper.evidence import Evidence
from harness.paper.figures import KINDS, draw, save
from tests.unit.made_records import made_plan, made_records

METHODS = {"alpha": "Alpha", "beta": "Beta", **{f"alpha@rank={rank}": f"Alpha {rank}" for rank in (1, 2, 16)}}


def filled(**changes: Any) -> Panel:
    base: dict[str, Any] = {
        "title": "A figure",
        "kind": "budgets",
        "task": "ner",
        "metric": "f1",
        "reported": "f",
        "axis": "k",
        "lines": {"Theirs $_1": Row(method="alpha"), "Other": Row(none="nothing")},
    }
    figure = Figure(**base | changes)
    points = [
        ("Theirs $_1", "k=All", 3.0),
        ("Theirs $_1", "k=10", 2.0),
        ("Theirs $_1", "k=2", 1.0),
        ("Other", "k=2", 0.5),
    ]
    reported = [
        Reported(table="f", row=row, column=column, metric="f1", value=value, mark="digitised", source="F")
        for row, column, value in [*points, ("Other", "n=9", 9.0)]
    ]
    plan = made_plan("out", methods=METHODS)
    paper = PaperSpec(title="P", citation="C", figures={"f": figure}, reported=reported)
    return panel(Evidence(plan, made_records(plan)), paper, "f", figure)


def test_both_sides_stand_over_their_own_axis() -> None:
    its = filled()
    assert its.places == ["2", "10", "All"]
    assert [[(spot.place, spot.value) for spot in curve.spots] for curve in its.theirs] == [
        [("2", 1.0), ("10", 2.0), ("All", 3.0)],
        [("2", 0.5)],
    ]
    assert its.our_places == ["8", "32"]
    (ours,) = its.ours
    assert all((spot.low or 0) < spot.value < (spot.high or 0) for spot in ours.spots)


def test_variants_are_the_points_of_an_option() -> None:
    its = filled(kind="option", option="rank")
    assert (its.our_axis, its.our_places) == ("rank", ["1", "2", "16"])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"task": "persona"}, "no task: the run does not have persona"),
        ({"kind": "steps"}, "no score was taken along the way of all cells: `evaluate_at` asks for them of ner"),
        ({"kind": "option", "option": "width"}, "the run has no variants of width"),
        ({"lines": {"Theirs $_1": Row(method="delta")}}, "the run has none of its methods"),
    ],
)
def test_why_ours_has_no_line(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    its = filled(**changes)
    assert not its.ours
    assert its.why.startswith(why)


def test_points_that_were_read_are_hollow_and_ours_have_bands() -> None:
    drawn = draw(filled())
    theirs, ours = drawn.axes
    assert {line.get_markerfacecolor() for line in theirs.lines} == {"none"}
    assert "none" not in {line.get_markerfacecolor() for line in ours.lines}
    assert (len(theirs.collections), len(ours.collections)) == (0, 1)
    drawn.canvas.draw()  # a label with a dollar sign is no formula
    pyplot.close(drawn)


def test_a_figure_has_the_same_bytes_twice_and_ids_of_its_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        save(filled(), tmp_path / folder)
    for kind in KINDS:
        assert (tmp_path / "a" / f"f.{kind}").read_bytes() == (tmp_path / "b" / f"f.{kind}").read_bytes()
