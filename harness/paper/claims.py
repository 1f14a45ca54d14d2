"""The rule `claims`: the answers of every paper as CSV, JSON and Markdown, and one of them for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from harness.base.files import write_json, write_text
from harness.contracts.budget import told_all
from harness.contracts.claim import Claim
from harness.contracts.paper import PaperSpec
from harness.contracts.papers import papers
from harness.contracts.plan import Plan
from harness.paper.answers import Answer, Part, answer_paper
from harness.paper.effects import shown_effect
from harness.paper.evidence import Evidence
from harness.paper.markdown import plain
from harness.paper.weigh import Verdict
from harness.table.markdown import MOST_NAMED, listed, probability, table
from harness.table.rows import Row, write_rows

COLUMNS = (
    "paper", "claim", "says", "place", "status", "kind", "family", "answer", "reason", "obstacle", "paper_effect",
    "difference", "effect", "low", "high", "scale", "smallest", "p_for", "p_against", "power", "smallest_detectable",
    "seeds", "seeds_needed", "setting", "certainty", "lost", "task", "metric", "budgets", "domains",
)  # fmt: skip
SIGNS: dict[Verdict, str] = {"supported": "✔", "contradicted": "✘", "inconclusive": "?", "not run": "–"}
MEANING = (
    "D is the difference that speaks for the claim: a mean over domains and budgets for each seed, paired. Supported: "
    "D <= 0 is rejected one-sided at 2.5%, corrected over the family (Holm), and the estimate is at least the smallest "
    "effect of interest. Contradicted: an effect of that size is rejected. Of several differences the one that "
    "supports the claim least is shown. Perplexities and costs compare by ratio. Intervals are 95%, and power and "
    "seeds are of the test before any correction."
)


def write_claims(plan: Plan, records: pd.DataFrame) -> None:
    """Write `<output>/papers/<id>/claims.csv`, `.json` and `.md` of every paper."""
    evidence, found = Evidence(plan, records), papers()
    for name in plan.papers:
        answers = answer_paper(evidence, name, found[name])
        file = Path(plan.output) / "papers" / name / "claims.csv"
        write_rows(file, COLUMNS, [to_row(answer) for answer in answers])
        write_json(file.with_suffix(".json"), [to_json(answer) for answer in answers])
        write_text(file.with_suffix(".md"), page(found[name], answers))


def to_json(answer: Answer) -> dict[str, object]:
    """An answer with all its parts."""
    whole = asdict(answer)
    return whole | {"claim": answer.claim.model_dump(mode="json"), "certainty_words": answer.certainty_words}


def to_row(answer: Answer) -> Row:
    """An answer on one line, with the difference that supports it least, and what the hardest to see could see."""
    claim, part, hardest = answer.claim, answer.parts[0] if answer.parts else None, answer.hardest
    return {
        "paper": answer.paper,
        "claim": answer.name,
        "says": claim.says,
        "place": claim.where.place,
        "status": claim.where.status,
        "kind": claim.kind,
        "family": claim.family,
        "answer": answer.verdict,
        "reason": answer.reason,
        "obstacle": answer.obstacle,
        "paper_effect": "; ".join(f"{effect:.4g}" for effect in answer.effects),
        "difference": part.label if part else None,
        "effect": part.estimate if part else None,
        "low": part.low if part else None,
        "high": part.high if part else None,
        "scale": claim.scale,
        "smallest": claim.smallest,
        "p_for": answer.p_for,
        "p_against": answer.p_against,
        "power": hardest.power if hardest else None,
        "smallest_detectable": hardest.detectable if hardest else None,
        "seeds": answer.seeds or None,
        "seeds_needed": hardest.seeds_needed if hardest else None,
        "setting": answer.setting,
        "certainty": answer.certainty_words,
        "lost": "; ".join(answer.lost),
        "task": claim.on.task,
        "metric": claim.on.metric,
        "budgets": told_all(answer.budgets, " "),
        "domains": " ".join(answer.domains),
    }


def tally(answers: Sequence[Answer]) -> str:
    """How many claims have which answer."""
    counts = Counter(answer.verdict for answer in answers)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in SIGNS if counts[verdict]) or "no claims"


def page(paper: PaperSpec, answers: Sequence[Answer]) -> str:
    """All answers of a paper as Markdown."""
    columns = [
        "claim",
        "where",
        "answer",
        "the paper's effect",
        "D",
        "smallest",
        "p for",
        "p against",
        "certainty",
        "why",
    ]
    lines = [
        [
            plain(answer.claim.says),
            plain(where(answer)),
            f"{SIGNS[answer.verdict]} {answer.verdict}",
            effects(answer),
            of_part(answer),
            shown_effect(answer.claim, answer.claim.smallest),
            probability(answer.p_for),
            probability(answer.p_against),
            answer.certainty_words or "–",
            plain(answer.reason),
        ]
        for answer in answers
    ]
    bare = [[cell.replace(r"\|", "|") for cell in line] for line in lines]
    return (
        "\n\n".join([f"# {plain(paper.title)}: claims", tally(answers) + ".", MEANING, table(columns, 4, bare)]) + "\n"
    )


def where(answer: Answer) -> str:
    """Where a claim is from; what was not read is not shown as the paper's."""
    status = answer.claim.where.status
    return {"seen": answer.claim.where.place, "recalled": "recalled, not read", "ours": "ours"}[status]


def effects(answer: Answer) -> str:
    """The paper's effects for readers."""
    return "; ".join(shown_effect(answer.claim, effect) for effect in answer.effects) or "–"


def of_part(answer: Answer) -> str:
    """The difference that supports a claim least, for readers."""
    if not answer.parts:
        return "–"
    part = answer.parts[0]
    return shown_effect(answer.claim, part.estimate, part.low, part.high)


def told(answer: Answer) -> str:
    """One answer for a terminal, with every difference and where it comes from."""
    claim = answer.claim
    smallest = f"{shown_effect(claim, claim.smallest)} ({claim.why})"
    lines = [
        f"{answer.paper}/{answer.name} ({where(answer)})",
        claim.says,
        f"{SIGNS[answer.verdict]} {answer.verdict}: {answer.reason}",
        f"the paper's effect: {effects(answer)}; smallest of interest: {smallest}",
    ]
    for part in answer.parts:
        lines += _part_lines(claim, part)
    if answer.largest:
        lines.append(f"largest over domains, chosen inside each seed: {shown_effect(claim, *answer.largest)}")
    if answer.p_for is not None:
        corrected = f"p for {probability(answer.p_for)}, against {probability(answer.p_against)}"
        lines.append(f"{corrected}, corrected over the family {claim.family}; {answer.seeds} seeds")
    if answer.certainty is not None:
        lost = f": less for {', '.join(answer.lost)}" if answer.lost else ""
        lines.append(f"certainty {answer.certainty_words} ({answer.certainty} of 4){lost}; setting {answer.setting}")
    if answer.budgets:
        cells = f"{claim.on.task}, domains {listed(answer.domains)}, budgets {told_all(answer.budgets)}"
        lines.append(f"cells: {', '.join(claim.names)} on {cells}")
    return "\n".join(lines)


def _part_lines(claim: Claim, part: Part) -> list[str]:
    lines = [f"D = {shown_effect(claim, part.estimate, part.low, part.high)}: {part.label}"]
    if len(part.domains) > MOST_NAMED:
        lines.append(f"  {extremes(claim, part)}")
    else:
        lines += [f"  {domain}: {shown_effect(claim, *value)}" for domain, value in part.domains.items()]
    if part.power is not None:
        needed = part.seeds_needed or "no number of"
        lines.append(
            f"  power for {shown_effect(claim, claim.smallest)}: {part.power:.0%}; seen with 80%: "
            f"{shown_effect(claim, part.detectable)}; {needed} seeds would see the smallest"
        )
    return lines


def extremes(claim: Claim, part: Part) -> str:
    """Of many domains the two between whose differences all others lie."""
    low, high = (choose(part.domains, key=lambda name: part.domains[name][0]) for choose in (min, max))
    ends = [f"{shown_effect(claim, *part.domains[name])} ({name})" for name in (low, high)]
    return f"{len(part.domains)} domains: from {ends[0]} to {ends[1]}"
