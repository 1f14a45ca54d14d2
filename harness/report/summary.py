"""In one minute: what was compared on what, what its setting is, the answers, who leads, and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.base.wording import counted
from harness.contracts.budget import told_all
from harness.paper.answers import Answer
from harness.paper.claims import SIGNS, tally
from harness.report.claims import id_of
from harness.report.markup import Content, Html, bullets, join, tag
from harness.report.material import Material
from harness.table.pivot import SIGNIFICANCE
from harness.table.rows import ALL, Row
from harness.table.standing import standing

BANNERS = {
    "embedded": "Embedded data: texts that the project generates. They show that the machine works and how methods "
    "differ there; they do not stand in for the papers' numbers.",
    "scaled": "Real data, at a setting of one's own: signs and order compare with the papers', numbers do not.",
    "paper": "The setting is the paper's.",
}
MOST_NAMES = 8


def summary(material: Material) -> Html:
    """The first section."""
    return tag(
        "section",
        tag("h2", "In one minute", id="minute"),
        tag("p", _compared(material)),
        join(_banners(material)),
        tag("h3", "Who leads"),
        bullets(_leaders(material)),
        tag("h3", "What failed"),
        tag("p", _failed(material)),
        tag("h3", "What the papers claim"),
        bullets(_tallies(material)),
    )


def _compared(material: Material) -> str:
    plan = material.plan
    controls = sum(bool(about["control"]) for about in plan.methods.values())
    tasks = []
    for name, task in plan.tasks.items():
        scores = material.evidence.scores(name)
        domains, budgets = counted(len(scores.domains), "domain"), told_all(scores.budgets)
        tasks.append(f"{task.label} ({task.metric_in_words}, {domains}, budgets {budgets})")
    methods = f"{counted(len(plan.methods) - controls, 'method')} and {counted(controls, 'control')}"
    return f"{methods}, each adapted to few examples in {counted(len(plan.seeds), 'seed')}: {'; '.join(tasks)}."


def _banners(material: Material) -> Iterator[Html]:
    """What kind of setting each task has: the worst word is told of all that share it."""
    told: dict[str, list[str]] = {}
    for name, task in material.plan.tasks.items():
        told.setdefault("embedded" if task.source == "embedded" else _best_tier(material, name), []).append(task.label)
    for tier, labels in told.items():
        yield tag("p", tag("strong", ", ".join(labels)), f": {BANNERS[tier]}", class_="banner")


def _best_tier(material: Material, task: str) -> str:
    """Whether a claim on the task was at its paper's setting."""
    tiers = {a.setting for answers in material.answers.values() for a in answers if a.claim.on.task == task}
    return "paper" if "paper" in tiers else "scaled"


def _tallies(material: Material) -> Iterator[Content]:
    """How many claims of each paper have which answer, every claim that has one, and why the others have none."""
    for name in material.by_use:
        answers = material.answers[name]
        line = f"{material.papers[name].title}: {tally(answers)}"
        left = [its for its in answers if its.verdict == "not run"]
        if len(left) == len(answers):
            yield join([tag("strong", line), *_reason(answers), "."], "")
            continue
        told = [_told(material, its) for its in answers if its not in left]
        if left:
            told.append(join([_verdict(left[0]), f", {len(left)}", *_reason(left)], ""))
        yield join([tag("strong", f"{line}."), tag("ul", *(tag("li", one) for one in told), class_="several")], "")


def _reason(answers: list[Answer]) -> Iterator[Content]:
    """Why claims of a paper have no answer: the commonest reason, which leads to where all stand."""
    found = Counter(its.reason for its in answers).most_common()
    for reason, count in found[:1]:
        several = f" ({count} of them)" if len(found) > 1 else ""
        yield join([": ", tag("a", reason, href=f"#{id_of(answers[0])}"), several], "")


def _told(material: Material, its: Answer) -> Html:
    """A claim with its answer and the names that its methods have in the tables, as a link to its row."""
    known = [material.label(name) for name in its.claim.names if name in material.plan.methods]
    link = tag("a", its.claim.says, href=f"#{id_of(its)}")
    named = f" ({', '.join(known)})" if known else ""
    return join([_verdict(its), ": ", link, named], "")


def _leaders(material: Material) -> Iterator[Content]:
    """The leader of each task over all budgets together, and who cannot be told from it."""
    for task, board in material.boards.items():
        label = material.plan.tasks[task].label
        ranked = [row for row in board if row["budget"] == ALL and row["rank"] is not None]
        contenders = [row for row in ranked if not row["control"]]
        if not contenders:
            yield join([tag("strong", label), ": no method has all its cells."], "")
            continue
        leader = contenders[0]
        said = f": {_mean(leader)}{_tie(material, task, leader, contenders[1:])}{_above(leader, ranked)}."
        yield join([tag("a", tag("strong", label), href=f"#task-{task}"), said], "")


def _mean(row: Row) -> str:
    return f"{row['label']} leads with a mean {row['metric']} of {float(str(row['mean'])):.4g}"


def _tie(material: Material, task: str, leader: Row, others: list[Row]) -> str:
    """Who cannot be told from the leading contender, which a control may stand before."""
    if leader["tie_group"] is None:
        return "; a single seed has no test, so that nobody is told apart"
    scores = material.evidence.scores(task)
    duels = standing(scores, scores.budgets).duels
    p_values = [duels.p_value(str(leader["method"]), str(row["method"])) for row in others]
    tied = [str(row["label"]) for row, p in zip(others, p_values, strict=True) if p is None or p > SIGNIFICANCE]
    if not tied:
        return ", told apart from all others"
    more = f" and {len(tied) - MOST_NAMES} more" if len(tied) > MOST_NAMES else ""
    return f"; not told apart from it: {', '.join(tied[:MOST_NAMES])}{more}"


def _above(leader: Row, ranked: list[Row]) -> str:
    controls = [row for row in ranked if row["control"]]
    if not controls:
        return ""
    word = {"yes": "is above", "no": "is not above", "not told apart": "is not told apart from"}
    said = word.get(str(leader["above_control"]), "is not tested against")
    return f"; it {said} the best control, {controls[0]['label']}"


def _failed(material: Material) -> Content:
    """How many cells have no score, and whose they are."""
    lost, count_of_all = material.evidence.lost, len(material.evidence.cells)
    if lost.empty:
        return f"Nothing: all {count_of_all} cells have a score."
    counts = Counter(map(str, lost.status))
    whose = Counter(zip(lost.method, lost.task, strict=True))
    worst = [f"{material.label(method)} on {task} ({count})" for (method, task), count in whose.most_common(MOST_NAMES)]
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    more = f" and {len(whose) - MOST_NAMES} more" if len(whose) > MOST_NAMES else ""
    link = tag("a", "Holes", href="#holes")
    said = f"{told}, of {count_of_all} cells: {', '.join(worst)}{more}; the reasons stand under "
    return join([said, link, "."], "")


def _verdict(answer: Answer) -> Html:
    """An answer as a word and a sign."""
    return tag("span", f"{SIGNS[answer.verdict]} {answer.verdict}", class_=answer.verdict.replace(" ", "-"))
