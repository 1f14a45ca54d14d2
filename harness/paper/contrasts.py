"""The differences that a claim is about, one value a seed, and why there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from harness.contracts.budget import WHOLE, told
from harness.contracts.claim import Claim
from harness.contracts.method import Train
from harness.contracts.plan import Plan, PrepareJob
from harness.paper.best import end_of_best, hides_no_more, places_of_best
from harness.paper.curves import variants
from harness.paper.evidence import Evidence
from harness.table.influence import Floats
from harness.table.pivot import Sample
from harness.table.scores import TaskScores

Obstacle = Literal[
    "no task", "no method", "no data", "missing cells", "failed", "leaks", "unmatched", "one backbone", "setting"
]
NEAR = 0.15  # by how much of itself what should be matched may differ: texts have lengths


@dataclass(frozen=True)
class NotRun:
    """Why a claim has no answer."""

    kind: Obstacle
    words: str


@dataclass(frozen=True)
class Contrast:
    """One difference of a claim, oriented so that more than 0 speaks for it, and by domain where it has any."""

    label: str
    sample: Sample
    domains: dict[str, Sample] = field(default_factory=dict)


def budgets_of(claim: Claim, scores: TaskScores) -> list[int]:
    """The budgets of the run that the claim is about."""
    wanted = [budget for budget in scores.budgets if claim.on.budgets == "all" or budget in claim.on.budgets]
    # A slope is over numbers, and `all` is another in each domain.
    return [budget for budget in wanted if claim.option != "budget" or budget != WHOLE]


def obstacle(plan: Plan, claim: Claim) -> NotRun | None:
    """Why a plan can never answer a claim, whatever its records will be; None where it can."""
    task = claim.on.task
    if task not in plan.tasks:
        return NotRun("no task", f"the run does not have the task {task}")
    run = plan.tasks[task]
    if claim.kind != "cost" and run.metric != claim.on.metric:
        return NotRun("no data", f"{task} is scored by {run.metric}, and the claim is about {claim.on.metric}")
    if claim.backbones > len(plan.on(task)):
        words = f"it compares {claim.backbones} backbones, and the run has {len(plan.on(task))} for {task}"
        return NotRun("one backbone", f"{words} (its `backbones`)")
    blocks = {block.method: block for block in plan.blocks if block.task == task}
    names = claim.names if claim.kind != "trend" or claim.option == "budget" else []
    if lacking := [name for name in names if name not in blocks]:
        return NotRun("no method", f"the run does not have {', '.join(lacking)} on {task}")
    if claim.kind == "trend" and not names and len(_values(plan, claim)) < 3:
        return NotRun("no method", f"the run has fewer than three values of {claim.option} of {claim.names[0]}")
    cells = [cell for name in names for cell in blocks[name].cells]
    budgets = {cell.budget for cell in cells} or set(run.budgets)
    wanted = budgets if claim.on.budgets == "all" else budgets & set(claim.on.budgets)
    if claim.on.budgets != "all" and (absent := sorted(set(claim.on.budgets) - budgets)):
        return NotRun("no data", f"the run does not have the budget {told(absent[0])}")
    if claim.kind == "interaction" and len(wanted) < 2:
        return NotRun("no data", "the run has one budget, and it compares two")
    if absent_domains := sorted(set(claim.on.domains or ()) - set(run.domains)):
        return NotRun("no data", f"the run does not score the domain {absent_domains[0]}")
    return _unmatched(plan, claim) if "steps" in claim.needs.matched else None


def _values(plan: Plan, claim: Claim) -> dict[float, str]:
    """The variants of a trend by the value of its option, those that all of its backbones have."""
    found = [
        variants(plan, task, claim.names[0], str(claim.option)) for task in plan.on(claim.on.task)[: claim.backbones]
    ]
    return {value: name for value, name in found[0].items() if all(value in its for its in found)}


def _unmatched(plan: Plan, claim: Claim) -> NotRun | None:
    """Whether methods differ in how many steps they are prepared or trained."""
    steps = {name: (_prepared(plan, claim.on.task, name), _trained(plan, claim.on.task, name)) for name in claim.names}
    if len(set(steps.values())) > 1:
        told = ", ".join(f"{name} {prepared} and {trained}" for name, (prepared, trained) in steps.items())
        return NotRun("unmatched", f"steps of preparation and adaptation differ: {told}")
    return None


def _trained(plan: Plan, task: str, method: str) -> str:
    settings = Train(**plan.block(task, method).train)
    return str(settings.steps) if settings.epochs is None else f"{settings.epochs} epochs"


def _prepared(plan: Plan, task: str, method: str) -> int | None:
    """The steps of a method's preparation: iterations of an outer loop where it has one."""
    made_by = plan.block(task, method).prepared_by  # one a seed, alike but for it
    job: PrepareJob | None = next((job for job in plan.prepares if job.done in made_by), None)
    if job is None:
        return None
    outer = job.options.get("outer")
    found = outer.get("iterations") if isinstance(outer, dict) else job.options.get("steps")
    return None if found is None else int(found)


def contrasts(evidence: Evidence, claim: Claim) -> list[Contrast] | NotRun:
    """The differences of a claim; or why it has none, in the order of `Obstacle`."""
    if found := obstacle(evidence.plan, claim):
        return found
    scores = evidence.scores(claim.on.task)
    if not any(scores.scores.values()):
        return NotRun("no data", "no cell of the task has a score yet")
    if found := _unmatched_costs(evidence, claim, scores):
        return found
    leaking = [name for name in claim.names if scores.leaks(name)]
    if claim.needs.no_leak and leaking:
        return NotRun("leaks", f"{', '.join(leaking)} sees what it predicts")
    return _KINDS.get(claim.kind, _pairs)(evidence, claim, scores)


def _unmatched_costs(evidence: Evidence, claim: Claim, scores: TaskScores) -> NotRun | None:
    """Whether methods read other amounts of data in preparation, or train other shares."""
    for what, column in (("data", "preparation_tokens"), ("share", "trained_share")):
        if what not in claim.needs.matched:
            continue
        budgets = budgets_of(claim, scores)
        found = {name: evidence.costs(claim.on.task, name, column, budgets) for name in claim.names}
        means = {name: None if its is None else float(its.mean()) for name, its in found.items()}
        known = [mean for mean in means.values() if mean is not None]
        if len(known) < len(means):
            return NotRun("missing cells", f"{column} is not known of every cell")
        if max(known) > (1 + NEAR) * min(known):
            told = ", ".join(f"{name} {mean:.4g}" for name, mean in means.items())
            return NotRun("unmatched", f"{column} differs by more than {NEAR:.0%}: {told}")
    return None


def _holes(evidence: Evidence, claim: Claim, scores: TaskScores, names: Sequence[str]) -> NotRun | None:
    """Cells of a claim without a score, with what became of them."""
    domains = claim.on.domains or scores.domains
    found = [scores.coverage(name, domains, budgets_of(claim, scores)) for name in names]
    done, planned = sum(its for its, _ in found), sum(its for _, its in found)
    if done == planned:
        return None
    lost = evidence.lost
    statuses = set(map(str, lost.status[(lost.task == scores.task) & lost.method.isin(names)])) - {"missing"}
    if statuses:
        return NotRun("failed", f"{planned - done} of {planned} cells have no score: {', '.join(sorted(statuses))}")
    return NotRun("missing cells", f"{planned - done} of {planned} cells have no score")


def _oriented(scores: TaskScores, better: Sample, worse: Sample) -> Sample:
    return better - worse if scores.run.direction == "max" else worse - better


def _paired(scores: TaskScores, pair: tuple[str, str], budgets: Sequence[int], domains: Sequence[str]) -> Sample | None:
    """The first method's lead over the second for each seed."""
    better, worse = (scores.sample(name, budgets, domains) for name in pair)
    return None if better is None or worse is None else _oriented(scores, better, worse)


def _by_domain(claim: Claim, scores: TaskScores, of: Callable[[Sequence[str]], Sample | None]) -> dict[str, Sample]:
    found = {domain: of([domain]) for domain in claim.on.domains or scores.domains}
    return {domain: sample for domain, sample in found.items() if sample is not None}


def _pairs(evidence: Evidence, claim: Claim, scores: TaskScores) -> list[Contrast] | NotRun:
    """Kinds better, not_worse, equal and order: every pair of methods that follow each other."""
    if holes := _holes(evidence, claim, scores, claim.names):
        return holes
    budgets, domains = budgets_of(claim, scores), claim.on.domains or scores.domains
    found = []
    for pair in claim.pairs:
        sample = _paired(scores, pair, budgets, domains)
        if sample is None:
            return NotRun("missing cells", f"{pair[0]} and {pair[1]} do not have every seed of the run")
        each = _by_domain(claim, scores, partial(_paired, scores, pair, budgets))
        found.append(Contrast(f"{pair[0]} over {pair[1]}", sample, each))
    return found


def _interaction(evidence: Evidence, claim: Claim, scores: TaskScores) -> list[Contrast] | NotRun:
    """How much larger the lead is with the fewest examples than with the most."""
    if holes := _holes(evidence, claim, scores, claim.names):
        return holes
    budgets, (pair, *_) = budgets_of(claim, scores), claim.pairs

    def lead(domains: Sequence[str]) -> Sample | None:
        few, many = (_paired(scores, pair, [budget], domains) for budget in (budgets[0], budgets[-1]))
        return None if few is None or many is None else few - many

    whole = lead(claim.on.domains or scores.domains)
    if whole is None:
        return NotRun("missing cells", "the methods do not have every seed of the run")
    label = f"{pair[0]} over {pair[1]}, with {told(budgets[0])} less with {told(budgets[-1])}"
    return [Contrast(label, whole, _by_domain(claim, scores, lead))]


def _trend(evidence: Evidence, claim: Claim, scores: TaskScores) -> list[Contrast] | NotRun:
    """The slope of the score over the doublings of a budget or an option; better upwards."""
    if claim.backbones > 1:
        return _best_values(evidence, claim)
    method, budgets = claim.names[0], budgets_of(claim, scores)
    if claim.option == "budget":
        points = {float(budget): (method, [budget]) for budget in budgets}
    else:
        points = {value: (name, budgets) for value, name in _values(evidence.plan, claim).items()}
    if holes := _holes(evidence, claim, scores, [name for name, _ in points.values()]):
        return holes
    places = np.log2(list(points))
    weights = (places - places.mean()) / ((places - places.mean()) ** 2).sum()
    sign = 1.0 if scores.run.direction == "max" else -1.0

    def slope(domains: Sequence[str]) -> Sample | None:
        samples = [scores.sample(name, its, domains) for name, its in points.values()]
        known = [sample for sample in samples if sample is not None]
        if len(known) < len(samples):
            return None
        values = sum(sign * weight * sample.values for weight, sample in zip(weights, known, strict=True))
        others = zip(*(sample.others for sample in known), strict=True)
        moved = [sum(sign * weight * its for weight, its in zip(weights, tables, strict=True)) for tables in others]
        return Sample(np.asarray(values), tuple(np.asarray(table) for table in moved))

    whole = slope(claim.on.domains or scores.domains)
    if whole is None:
        return NotRun("missing cells", f"{method} does not have every seed of the run")
    return [Contrast(f"{method}, for each doubling of {claim.option}", whole, _by_domain(claim, scores, slope))]


def _best_values(evidence: Evidence, claim: Claim) -> list[Contrast] | NotRun:
    """How many steps further the best value of an option lies on the smaller of two backbones than on the larger."""
    task, values = claim.on.task, _values(evidence.plan, claim)
    both = [evidence.scores(name) for name in evidence.plan.on(task)[: claim.backbones]]
    for scores in both:
        if holes := _holes(evidence, claim, scores, list(values.values())):
            return holes
    sizes = [evidence.parameters(scores.task) or 0 for scores in both]
    names = [scores.run.backbone for scores in both]
    if len(set(sizes)) < len(sizes):
        return NotRun("one backbone", f"neither of {' and '.join(names)} is known to be the larger")
    small, large = sorted(both, key=lambda scores: sizes[both.index(scores)])

    def curve(scores: TaskScores, domains: Sequence[str]) -> Floats | None:
        """The score at each value, the higher the better, for each seed: [V, S]."""
        samples = [scores.sample(name, budgets_of(claim, scores), domains) for name in values.values()]
        sign = 1.0 if scores.run.direction == "max" else -1.0
        known = [sign * sample.values for sample in samples if sample is not None]
        return np.stack(known) if len(known) == len(samples) else None

    def curves(domains: Sequence[str]) -> list[Floats] | None:
        """Those of the small one and the large one; None where a seed is missing."""
        known = [its for scores in (small, large) if (its := curve(scores, domains)) is not None]
        return known if len(known) == len(both) else None

    def steps(its: list[Floats]) -> Sample:
        return Sample(places_of_best(its[0]) - places_of_best(its[1]))

    def further(domains: Sequence[str]) -> Sample | None:
        its = curves(domains)
        return steps(its) if its else None

    its = curves(claim.on.domains or both[0].domains)
    if its is None:
        return NotRun("missing cells", f"{claim.names[0]} does not have every seed of the run")
    whole, ends = steps(its), list(map(end_of_best, its))
    cut = {scores.run.backbone: end for scores, end in zip((small, large), ends, strict=True) if end}
    if not hides_no_more(float(whole.values.mean()), ends[0], ends[1], claim.smallest):
        name, end = next(iter(cut.items()))
        value = f"{list(values)[0 if end == 'first' else -1]:g}"
        words = f"on {name} the best {claim.option} is {value}, at the end of those that were run"
        return NotRun("no data", f"{words}, and may lie beyond; run values beyond it")
    label = f"best {claim.option} of {claim.names[0]}, {small.run.backbone} less {large.run.backbone}, in steps"
    if cut:
        label += f"; on {' and '.join(cut)} it is at an end of the values that were run, and lies there or beyond"
    return [Contrast(label, whole, _by_domain(claim, both[0], further))]


def _cost(evidence: Evidence, claim: Claim, scores: TaskScores) -> list[Contrast] | NotRun:
    """By which factor the first method is cheaper, as a logarithm, for each cost."""
    budgets, (pair, *_), found = budgets_of(claim, scores), claim.pairs, []
    for column in claim.costs:
        cheap, dear = (evidence.costs(claim.on.task, name, column, budgets) for name in pair)
        if cheap is None or dear is None:
            return NotRun("missing cells", f"{column} is not known of every cell")
        if min(float(cheap.min()), float(dear.min())) <= 0:
            return NotRun("no data", f"{column} is nothing for one of the methods, so they have no ratio")
        found.append(Contrast(f"{column} of {pair[1]} over {pair[0]}", Sample(np.log(dear) - np.log(cheap))))
    return found


def _number(evidence: Evidence, claim: Claim, scores: TaskScores) -> list[Contrast] | NotRun:
    """Our own value, to stand beside the reported one."""
    if holes := _holes(evidence, claim, scores, claim.names):
        return holes
    sample = scores.sample(claim.names[0], budgets_of(claim, scores), claim.on.domains or scores.domains)
    if sample is None:
        return NotRun("missing cells", f"{claim.names[0]} does not have every seed of the run")
    return [Contrast(claim.names[0], sample)]


_KINDS: dict[str, Callable[[Evidence, Claim, TaskScores], list[Contrast] | NotRun]] = {
    "interaction": _interaction,
    "trend": _trend,
    "cost": _cost,
    "number": _number,
}
