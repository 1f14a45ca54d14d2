"""A row a claim: the sentence, its answer as a word and a sign, and both effects on one axis."""

from __future__ import annotations

from collections.abc import Iterator

from harness.contracts.budget import told_all
from harness.paper.answers import Answer, Part
from harness.paper.claims import MEANING, SIGNS, effects, extremes, of_part, where
from harness.paper.effects import shown_effect
from harness.report.charts import Point, forest
from harness.report.markup import Content, Html, bullets, folded, join, rows, tag
from harness.report.material import Material
from harness.table.markdown import MOST_NAMED, listed, probability

COLUMNS = ("claim", "answer", "effect: the paper's ◇, ours ●", "the paper's", "ours", "certainty")


def claims(material: Material) -> Html:
    """The section of claims."""
    parts: list[Content] = [tag("h2", "Claims", id="claims"), tag("p", MEANING)]
    parts.append(tag("p", "The band on an axis is what does not matter: effects below the smallest of interest."))
    for name in material.by_use:
        lines = [_line(answer) for answer in material.answers[name]]
        parts.append(tag("h3", material.papers[name].title))
        parts.append(rows(material.papers[name].citation, COLUMNS, lines, words=2, kind="claims"))
    return tag("section", *parts)


def _line(answer: Answer) -> list[Content]:
    claim = answer.claim
    kind = answer.verdict.replace(" ", "-")
    verdict = join([tag("span", f"{SIGNS[answer.verdict]} {answer.verdict}", class_=kind), f": {answer.reason}"], "")
    return [
        join([claim.says, f" ({where(answer)})", _folded(answer)], ""),
        verdict,
        _axis(answer),
        effects(answer),
        of_part(answer),
        answer.certainty_words or "–",
    ]


def id_of(answer: Answer) -> str:
    """Where the page's own links find a claim."""
    return f"claim-{answer.paper}/{answer.name}"  # both may have hyphens in them


def _folded(answer: Answer) -> Html:
    return folded(f"{answer.paper}/{answer.name}", *_details(answer), id_=id_of(answer))


def _axis(answer: Answer) -> Content:
    """Both effects on one axis; nothing where neither is known."""
    theirs = list(answer.effects)
    part = answer.parts[0] if answer.parts and answer.claim.kind != "number" else None
    if part is None and not theirs:
        return "–"
    ours = Point(part.estimate, 0.0, part.low, part.high) if part else None
    words = f"The paper's effect {effects(answer)}, ours {of_part(answer)}"
    return forest(words, ours, theirs, answer.claim.smallest)


def _details(answer: Answer) -> Iterator[Content]:
    """What an opened claim shows: every difference, by domain, its power, and how to compute it again."""
    claim = answer.claim
    yield tag("p", f"Smallest effect of interest: {shown_effect(claim, claim.smallest)}, since {claim.why}.")
    for part in answer.parts:
        yield tag("p", f"{part.label}: {shown_effect(claim, part.estimate, part.low, part.high)}")
        yield bullets([*_domains(answer, part), *_power(answer, part)])
    if answer.largest:
        yield tag("p", f"Largest over domains, chosen inside each seed: {shown_effect(claim, *answer.largest)}")
    if answer.p_for is not None:
        yield tag(
            "p",
            f"p for {probability(answer.p_for)}, against {probability(answer.p_against)}, corrected over the family "
            f"{claim.family}; {answer.seeds} seeds; setting {answer.setting}.",
        )
    if answer.lost:
        yield tag("p", f"Certainty {answer.certainty_words}; it lost points for {', '.join(answer.lost)}.")
    if answer.budgets:
        yield tag(
            "p",
            f"Cells: {', '.join(claim.names)} on {claim.on.task}; domains {listed(answer.domains)}; budgets "
            f"{told_all(answer.budgets)}.",
        )
    yield tag("p", tag("code", f"headstart claim {answer.paper}/{answer.name}"))


def _domains(answer: Answer, part: Part) -> list[str]:
    if len(part.domains) > MOST_NAMED:
        return [extremes(answer.claim, part)]
    return [f"{domain}: {shown_effect(answer.claim, *value)}" for domain, value in part.domains.items()]


def _power(answer: Answer, part: Part) -> list[str]:
    if part.power is None:
        return []
    claim = answer.claim
    needed = f"{part.seeds_needed} seeds" if part.seeds_needed else "more test examples, and no number of seeds,"
    return [
        f"power for {shown_effect(claim, claim.smallest)}: {part.power:.0%}; seen with 80%: "
        f"{shown_effect(claim, part.detectable)}; {needed} would show the smallest effect"
    ]
