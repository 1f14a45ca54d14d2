"""The report: no request, nothing but escaped labels, no id twice, the same bytes, and all of it without JavaScript."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from harness.contracts.claim import On
from harness.contracts.plan import Plan
from harness.paper.answers import answer_paper
from harness.paper.evidence import Evidence
from harness.report.charts import Point, Series, forest, line_chart, nice
from harness.report.material import Material
from harness.report.page import page, write_report
from harness.report.style import CSS
from harness.table.rows import ALL
from tests.unit.made_records import made_plan, made_records
from tests.unit.test_claims import claim
from tests.unit.test_paper_tables import ODD, spec

LEVELS = {"alpha": 2.5, "beta": 1.5, "gamma": 1.4, "zero": -1.0}
METHODS = {"alpha": f"Alpha {ODD}", "beta": "Beta", "gamma": "Gamma", "leaky": "Leaky", "zero": "Zero-shot"}
HOLE = {("ner", "gamma", "fi", 8, 1): "error"}


class Reader(HTMLParser):
    """What a browser would take from a page: elements, ids, addresses, and the text that it shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.shown: list[str] = []
        self.open: list[str] = []
        self.scopes: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        its = dict(attrs)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if tag == "th":
            self.scopes.append(its.get("scope"))
        if "id" in its:
            self.ids[str(its["id"])] += 1
        self.addresses += [str(its[name]) for name in ("src", "href", "action", "data", "srcset") if name in its]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.shown.append(data)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return made_plan("out", methods=METHODS)


@pytest.fixture(scope="module")
def records(plan: Plan) -> pd.DataFrame:
    return made_records(plan, LEVELS, HOLE)


@pytest.fixture(scope="module")
def material(plan: Plan, records: pd.DataFrame) -> Material:
    its = claim(says=f"Alpha beats beta {ODD}.")
    lost = claim(methods=["alpha", "gamma"])
    paper = spec().model_copy(update={"claims": {"wins": its, "lost": lost}, "title": f"A paper {ODD}"})
    return Material(Evidence(plan, records), {"p": paper})


@pytest.fixture(scope="module")
def text(material: Material) -> str:
    return page(material)


@pytest.fixture(scope="module")
def reader(text: str) -> Reader:
    return Reader(text)


def test_nothing_is_asked_of_any_server(reader: Reader, text: str) -> None:
    assert all(address.startswith("#") or address == "data:," for address in reader.addresses)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp|<iframe|<object|<embed", text)
    assert "default-src 'none'" in text


def test_labels_come_through_unharmed(reader: Reader) -> None:
    """One script and one b less than any label could have made, and every label as it is."""
    assert (reader.tags["script"], reader.tags["b"]) == (1, 0)
    shown = "".join(reader.shown)
    for label in (f"Alpha {ODD}", f"Alpha beats beta {ODD}.", f"A paper {ODD}", f"A table {ODD}"):
        assert label in shown
    assert not reader.open


def test_no_id_stands_twice_and_every_link_leads_somewhere(reader: Reader) -> None:
    assert max(reader.ids.values()) == 1
    assert {address[1:] for address in reader.addresses if address.startswith("#")} <= set(reader.ids)
    assert {"task-ner", "task-ner-8", "task-lm-32"} <= set(reader.ids)


def test_every_header_has_a_scope(reader: Reader) -> None:
    assert reader.scopes
    assert None not in reader.scopes


def test_the_first_minute_tells_who_leads_what_is_claimed_and_what_failed(reader: Reader, material: Material) -> None:
    shown = "".join(reader.shown)
    leader = next(row for row in material.boards["ner"] if row["budget"] == ALL)
    assert f"The task ner: {leader['label']} leads with a mean f1 of {float(str(leader['mean'])):.4g}" in shown
    assert "1 supported, 1 not run" in shown
    assert f"Alpha beats beta {ODD}. (Alpha {ODD}, Beta)" in shown
    assert "1 error, of 120 cells: Gamma on ner (1)" in shown
    minute = shown[: shown.index("The band on an axis")]
    assert "not run, 1: " in minute  # in a line, behind those that have an answer
    assert minute.index("supported: ") < minute.index("not run, 1")
    assert "Embedded data" in shown
    assert "Traceback" in shown  # the reason of the hole


def test_a_score_that_is_not_defined_is_a_hole(plan: Plan) -> None:
    found = made_records(plan, LEVELS)
    place = (found.task == "ner") & (found.method == "beta") & (found.domain == "fi") & (found.seed == 1)
    place &= (found.budget == 8) & found.primary.astype(bool)
    found.loc[place, "score"] = None
    found["error"] = found.error.astype(object).mask(place, "all answers are one")
    evidence = Evidence(plan, found)
    shown = "".join(Reader(page(Material(evidence, {}))).shown)
    assert "1 undefined, of 120 cells: Beta on ner (1)" in shown
    assert "all answers are one" in shown[shown.index("Cells without a score") :]
    (answer,) = answer_paper(evidence, "p", spec().model_copy(update={"claims": {"c": claim()}}))
    assert answer.reason == "1 of 24 cells have no score: undefined"


def test_a_paper_of_which_nothing_was_run_stands_last_and_is_told_in_a_line(plan: Plan, material: Material) -> None:
    its = claim(says="Nobody asked.", on=On(task="persona", metric="f1"))
    other = spec(task="persona").model_copy(update={"claims": {"c": its}, "title": "Elsewhere"})
    both = Material(material.evidence, {"a": other, **material.papers})
    assert both.by_use == ["p", "a"]
    shown = "".join(Reader(page(both)).shown)
    minute = shown[: shown.index("The band on an axis")]
    assert "Elsewhere: 1 not run: the run does not have the task persona." in minute
    assert "Nobody asked." not in minute
    assert "Nobody asked." in shown


def test_a_leader_below_a_control_is_told_from_the_contenders_that_it_beats_alone(plan: Plan) -> None:
    """The control then leads the group, and no contender is tied with the leading contender by name."""
    levels = {"alpha": 2.5, "beta": 2.5, "gamma": 0.2, "leaky": 0.1, "zero": 2.6}
    shown = "".join(Reader(page(Material(Evidence(plan, made_records(plan, levels)), {}))).shown)
    minute = shown[shown.index("Who leads") : shown.index("What failed")]
    assert minute.count("not told apart from it: Beta") + minute.count(f"not told apart from it: Alpha {ODD}") == 2
    assert "told apart from all others" not in minute
    assert "Gamma" not in minute


def test_paper_is_light_and_open_and_has_no_text_to_copy(text: str) -> None:
    """Dark colours are the screen's alone, and what is folded opens; the copies of tables stay away."""
    assert "@media screen and (prefers-color-scheme:dark)" in text
    assert text.count("prefers-color-scheme") == 1
    printed = CSS[CSS.index("@media print") :]
    assert "details-content{content-visibility:visible" in printed
    assert ".copy{display:none}" in printed
    assert text.count('<details class="copy">') == 3  # one table in three formats
    assert "beforeprint" in text


def test_every_score_stands_in_the_page_without_a_script(reader: Reader, material: Material) -> None:
    shown = "".join(reader.shown)
    for board in material.boards.values():
        for row in board:
            mean = row["mean"]
            if isinstance(mean, float):
                assert f"{mean:.{1 if row['direction'] == 'max' else 2}f}" in shown


def test_the_same_records_give_the_same_bytes_and_few(tmp_path: Path, plan: Plan, records: pd.DataFrame) -> None:
    from harness.contracts.papers import papers
    from harness.plan.papers import planned_papers

    whole = replace(plan, output=str(tmp_path), papers=planned_papers(papers()))
    written = []
    for order in (records, records.copy()):
        write_report(whole, order)
        written.append((tmp_path / "report.html").read_bytes())
    assert written[0] == written[1]
    assert len(written[0]) < 2_000_000
    Reader(written[0].decode())


def test_a_row_with_another_backbones_rates_is_marked(plan: Plan, records: pd.DataFrame) -> None:
    assert "¶" not in "".join(Reader(page(Material(Evidence(plan, records), {}))).shown)
    untuned = replace(plan, blocks=[replace(block, rates="method") for block in plan.blocks])
    shown = "".join(Reader(page(Material(Evidence(untuned, records), {}))).shown)
    assert shown.count("¶ Rates as the method's folder has them") == len(plan.tasks)
    assert shown.count("¶") > len(plan.tasks) * len(plan.methods)


def test_a_run_without_records_or_papers_has_a_page(plan: Plan, records: pd.DataFrame) -> None:
    empty = records.assign(status="missing", score=None)
    shown = "".join(Reader(page(Material(Evidence(plan, empty), {}))).shown)
    assert "no method has all its cells" in shown


def test_an_axis_has_round_values() -> None:
    assert nice(0.0, 10.0) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert nice(-0.013, 0.021) == [-0.01, 0.0, 0.01, 0.02]
    for low, high in ((1.0, 1.5), (3.0, 4000.0), (-7.0, -6.5)):
        assert 3 <= len(nice(low, high)) <= 8


def test_marks_at_the_ends_do_not_hide_each_other() -> None:
    series = [Series(str(at), str(at), [Point(0.0, 0.0), Point(1.0, 1.0 + at / 1000)]) for at in range(12)]
    text = line_chart("A chart", series, [(0.0, "8"), (1.0, "32")]).text
    heights = sorted(float(y) for y in re.findall(r'class="end" x="[0-9.]+" y="([0-9.-]+)"', text))
    assert len(heights) == 12
    assert min(b - a for a, b in pairwise(heights)) >= 8.9


def test_a_forest_has_the_papers_effect_and_ours_at_their_places() -> None:
    text = forest("Both", Point(2.0, 0.0, 1.0, 3.0), [-1.0], 0.5).text
    zero = float(re.findall(r'class="zero" x1="([0-9.]+)"', text)[0])
    ours = float(re.findall(r'<circle cx="([0-9.]+)"', text)[0])
    theirs = float(re.findall(r'class="theirs" d="M([0-9.]+)', text)[0])
    assert theirs < zero < ours
    assert (ours - zero) == pytest.approx(2 * (zero - theirs), abs=0.2)
