"""The rule `report`: `results/report.html`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness.base.files import write_text
from harness.contracts.papers import papers
from harness.contracts.plan import Plan
from harness.paper.evidence import Evidence
from harness.report.boards import boards
from harness.report.claims import claims
from harness.report.holes import costs_and_holes
from harness.report.markup import Html, join, tag
from harness.report.material import Material
from harness.report.papers import papers as paper_section
from harness.report.style import CSS, JAVASCRIPT
from harness.report.summary import summary

# No request may leave the page, whatever a label holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
SECTIONS = {"minute": "In one minute", "claims": "Claims", "boards": "Leaderboards", "papers": "Papers",
            "costs": "Costs", "holes": "Holes", "reading": "How to read this", "provenance": "Provenance"}  # fmt: skip


def write_report(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/report.html`; the same records give the same bytes."""
    known = papers()
    found = {name: known[name] for name in plan.papers if name in known}
    write_text(Path(plan.output) / "report.html", page(Material(Evidence(plan, records), found)))


def page(material: Material) -> str:
    """The whole page."""
    links = (tag("a", words, href=f"#{name}") for name, words in SECTIONS.items())
    body = [
        tag("h1", "Headstart: few-shot adaptation, compared"),
        tag("nav", join(links, " "), aria_label="Sections"),
        summary(material),
        claims(material),
        boards(material),
        paper_section(material),
        costs_and_holes(material),
        Html(f"<script>{JAVASCRIPT}</script>"),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="color-scheme" content="light dark"><title>Headstart: report</title>'
        f'<link rel="icon" href="data:,"><style>{CSS}</style>'
    )
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{join(body)}\n</body>\n</html>\n'
