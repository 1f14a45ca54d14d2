"""What the records say of every claim of a paper: a pure function of plan and records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import stdtrit

from harness.contracts.claim import Claim
from harness.contracts.paper import PaperSpec
from harness.paper.contrasts import Contrast, NotRun, budgets_of, contrasts
from harness.paper.effects import reported_effects, shown_effect
from harness.paper.evidence import Evidence
from harness.paper.setting import TIERS, Comparison, compare_setting
from harness.paper.weigh import ONE_SIDED, Verdict, Weighed, correct, several, verdict, weigh, why_contradicted
from harness.score.scale import scaled
from harness.table.pivot import POWER, Pivot, Sample, pivot
from harness.table.standing import standing

CERTAINTY = {4: "high", 3: "moderate", 2: "low", 1: "very low", 0: "very low"}
ONE_BACKBONE = "one backbone alone"
UNEQUAL = "rates that were tuned for some of its methods alone"
BELOW_CONTROL = "not above the task's best control"


@dataclass(frozen=True)
class Part:
    """One difference of a claim with its interval, tests and power, and by domain."""

    label: str
    estimate: float
    low: float | None = None
    high: float | None = None
    p_for: float | None = None
    p_against: float | None = None
    power: float | None = None
    detectable: float | None = None
    seeds_needed: int | None = None
    domains: dict[str, tuple[float, float | None, float | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The answer to a claim; `parts` are its differences, the one that supports it least first."""

    paper: str
    name: str
    claim: Claim
    verdict: Verdict
    reason: str
    obstacle: str = ""
    parts: tuple[Part, ...] = ()
    p_for: float | None = None
    p_against: float | None = None
    seeds: int = 0
    budgets: tuple[int, ...] = ()
    domains: tuple[str, ...] = ()
    setting: str = ""
    certainty: int | None = None
    lost: tuple[str, ...] = ()
    unequal: bool = False
    effects: tuple[float, ...] = ()
    largest: tuple[float, float | None, float | None] | None = None

    @property
    def certainty_words(self) -> str:
        """The certainty in a word; empty where there is no answer."""
        return "" if self.certainty is None else CERTAINTY[self.certainty]

    @property
    def hardest(self) -> Part | None:
        """The difference that is hardest to see: it says what the whole claim could see."""
        return _hardest(self.parts) if self.parts else None


@dataclass(frozen=True)
class _Found:
    """A claim's differences before the family corrects them."""

    contrasts: list[Contrast]
    pivots: list[Pivot]
    weighed: list[Weighed]


def answer_paper(evidence: Evidence, name: str, paper: PaperSpec) -> list[Answer]:
    """Every claim of a paper answered; p-values are corrected over the claims of a family that could be tested."""
    answers: dict[str, Answer] = {}
    tested: dict[str, dict[str, _Found]] = defaultdict(dict)
    for title, claim in paper.claims.items():
        start = Answer(name, title, claim, "not run", "", effects=tuple(reported_effects(paper, claim)))
        found = contrasts(evidence, claim)
        if isinstance(found, NotRun):
            answers[title] = replace(start, reason=found.words, obstacle=found.kind)
            continue
        start = _placed(evidence, paper, start)
        if claim.kind == "number":
            answers[title] = _number(evidence, paper, start, found[0])
            continue
        pivots = [pivot(contrast.sample) for contrast in found]
        known = [its for its in pivots if its is not None]
        if len(known) < len(pivots):
            parts = tuple(Part(its.label, float(its.sample.values.mean())) for its in found)
            why = "a single seed has no interval; three are the least that can tell anything"
            answers[title] = replace(start, verdict="inconclusive", reason=why, parts=parts)
            continue
        answers[title] = start
        tested[claim.family][title] = _Found(found, known, [weigh(its, claim.kind, claim.smallest) for its in known])
    for family in tested.values():
        corrected = correct([several(its.weighed) for its in family.values()])
        for (title, its), p_values in zip(family.items(), corrected, strict=True):
            answers[title] = _judged(evidence, answers[title], its, *p_values)
    return [answers[title] for title in paper.claims]


def _placed(evidence: Evidence, paper: PaperSpec, start: Answer) -> Answer:
    """The answer with the cells that it is about and how near their setting is to the paper's."""
    scores = evidence.scores(start.claim.on.task)
    budgets = budgets_of(start.claim, scores)
    domains = start.claim.on.domains or scores.domains
    tier = setting_of(evidence, paper, start.claim, budgets).tier
    unequal = 0 < sum(name in scores.untuned for name in start.claim.names) < len(start.claim.names)
    placed = replace(start, seeds=len(scores.seeds), budgets=tuple(budgets), domains=tuple(domains))
    return replace(placed, setting=tier, unequal=unequal)


def setting_of(evidence: Evidence, paper: PaperSpec, claim: Claim, budgets: Sequence[int]) -> Comparison:
    """The setting of the table that a claim is from, against the run's."""
    table = claim.reported[0].table if claim.reported else ""
    its = paper.tables.get(table) or paper.figures.get(table)
    setting = paper.setting(table, its.setting if its else None)
    tasks = evidence.plan.on(claim.on.task)[: claim.backbones]
    found = [compare_setting(evidence, setting, task, budgets) for task in tasks]
    return max(found, key=lambda its: TIERS.index(its.tier))


def _judged(evidence: Evidence, start: Answer, found: _Found, p_for: float, p_against: float) -> Answer:
    claim = start.claim
    said = verdict(claim.kind, claim.smallest, found.weighed, p_for, p_against)
    order = sorted(range(len(found.weighed)), key=lambda place: -float(found.weighed[place].p_for))
    parts = tuple(_part(claim, found.contrasts[at], found.pivots[at], found.weighed[at]) for at in order)
    reason = f"D <= 0 is rejected at {ONE_SIDED:.1%} and the effect matters"
    if claim.kind in ("not_worse", "equal"):
        reason = f"a difference beyond the margin is rejected at {ONE_SIDED:.1%}"
    if said == "supported" and _below_control(evidence, start):
        said, reason = "inconclusive", BELOW_CONTROL
    elif said == "contradicted":
        reason = why_contradicted(claim.kind, claim.smallest, found.weighed)
    elif said == "inconclusive":
        reason = _want(claim, parts)
    answer = replace(start, verdict=said, reason=reason, parts=parts, p_for=p_for, p_against=p_against)
    points, lost = _certainty(answer)
    return replace(answer, certainty=points, lost=lost, largest=_largest(found.contrasts))


def _below_control(evidence: Evidence, start: Answer) -> bool:
    """Whether the best method of a claim on scores is not above the task's best control."""
    if start.claim.kind == "cost":
        return False
    above = standing(evidence.scores(start.claim.on.task), start.budgets).above_control
    return any(above.get(name, "yes") != "yes" for name in start.claim.levels[0])


def _part(claim: Claim, contrast: Contrast, its: Pivot, weighed: Weighed) -> Part:
    domains = {domain: _ended(sample) for domain, sample in contrast.domains.items()}
    return Part(
        contrast.label,
        float(weighed.estimate),
        float(weighed.low),
        float(weighed.high),
        float(weighed.p_for),
        float(weighed.p_against),
        float(its.power(claim.smallest)),
        float(its.smallest_detectable(POWER)),
        its.seeds_needed(claim.smallest),
        domains,
    )


def _ended(sample: Sample) -> tuple[float, float | None, float | None]:
    """The mean of a sample with its interval, where it has one."""
    its = pivot(sample)
    if its is None:
        return float(sample.values.mean()), None, None
    low, high = its.interval()
    return float(its.estimate), float(low), float(high)


def _largest(found: Sequence[Contrast]) -> tuple[float, float | None, float | None] | None:
    """The largest effect over domains; its interval takes the maximum inside each seed, as it was chosen for it."""
    each = list(found[0].domains.values())
    if len(found) > 1 or len(each) < 2:
        return None
    return _ended(Sample(np.max([sample.values for sample in each], axis=0)))


def _hardest(parts: Sequence[Part]) -> Part:
    return max(parts, key=lambda part: part.detectable or 0.0)


def _want(claim: Claim, parts: Sequence[Part]) -> str:
    """What an inconclusive claim lacks: an effect that matters, or power, and then how many seeds."""
    hardest = _hardest(parts)
    detectable = hardest.detectable or 0.0
    seen, wanted = shown_effect(claim, detectable), shown_effect(claim, claim.smallest)
    if detectable <= claim.smallest:
        return f"the interval holds both no effect and one that matters; {seen} would have been seen"
    if hardest.seeds_needed is None:
        return (
            f"too few test examples: {seen} could have been seen; without more no number of seeds would show {wanted}"
        )
    return f"too few seeds: {seen} could have been seen; {hardest.seeds_needed} seeds would show {wanted}"


def _certainty(answer: Answer) -> tuple[int, tuple[str, ...]]:
    """Four points less what makes an answer less certain, with the reasons."""
    lost: list[tuple[int, str]] = []
    if answer.setting != "paper":
        lost.append((2, "embedded data") if answer.setting == "embedded" else (1, "a scaled setting"))
    width = max((part.high or 0.0) - (part.low or 0.0) for part in answer.parts)
    if width > 2 * answer.claim.smallest:
        lost.append((1, "an interval wider than twice the smallest effect"))
    signs = [{estimate > 0 for estimate, _, _ in part.domains.values()} for part in answer.parts]
    if any(len(its) > 1 for its in signs):
        lost.append((1, "domains that disagree in sign"))
    # Most claims are answered on the first backbone of a task; that, unequal tuning, or both take one point.
    alone = [UNEQUAL] * answer.unequal + [ONE_BACKBONE] * (answer.claim.backbones == 1)
    lost += [(1, ", and ".join(alone))] if alone else []
    return max(0, 4 - sum(points for points, _ in lost)), tuple(words for _, words in lost)


def _number(evidence: Evidence, paper: PaperSpec, start: Answer, contrast: Contrast) -> Answer:
    """Whether the reported value lies in the 95% prediction interval of ours, at the paper's setting alone."""
    if start.setting != "paper":
        why = f"the setting is {start.setting}, and a number compares at the paper's alone"
        return replace(start, reason=why, obstacle="setting")
    values, seeds = contrast.sample.values, contrast.sample.values.shape[-1]
    if seeds < 2 or not start.effects:
        return replace(start, reason="a single seed predicts nothing", obstacle="no data")
    mean = float(values.mean())
    half = float(stdtrit(seeds - 1, 0.975) * values.std(ddof=1) * np.sqrt(1 + 1 / seeds))
    reported = float(scaled(start.claim.on.metric, start.effects[0]))
    inside = abs(reported - mean) <= half
    part = Part(contrast.label, mean, mean - half, mean + half)
    words = f"the reported value is {'in' if inside else 'outside'} the 95% prediction interval of ours"
    answer = replace(start, verdict="supported" if inside else "contradicted", reason=words, parts=(part,))
    points, lost = _certainty(answer)
    return replace(answer, certainty=points, lost=lost)
