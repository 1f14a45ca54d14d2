"""Where a task's methods stand at some budgets: ranks, what the test tells apart, and who is above the controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from harness.contracts.budget import in_words, told
from harness.table.pivot import SIGNIFICANCE
from harness.table.ranks import Duels, Rank, rank_methods
from harness.table.rows import ALL
from harness.table.scores import TaskScores

Above = Literal["yes", "not told apart", "no"]


@dataclass(frozen=True)
class Selection:
    """Budgets that a board's rows are about: one of them, or all together."""

    name: int | str
    budgets: list[int]

    @property
    def title(self) -> str:
        """The selection for a reader."""
        return "All budgets" if self.name == ALL else in_words(self.budgets[0])


def selections(scores: TaskScores) -> list[Selection]:
    """Each budget of a task, then all together."""
    return [*(Selection(told(budget), [budget]) for budget in scores.budgets), Selection(ALL, scores.budgets)]


@dataclass(frozen=True)
class Standing:
    """The methods without holes from best to worst; one that sees what it predicts has no rank."""

    ranks: dict[str, Rank]
    duels: Duels
    controls: list[str]

    @property
    def contenders(self) -> list[str]:
        """The ranked methods that are no controls."""
        return [method for method in self.ranks if method not in self.controls]

    @property
    def resolution(self) -> float | None:
        """The share of pairs of contenders that the board's test tells apart."""
        return self.duels.resolution(self.contenders)

    @property
    def typical_detectable(self) -> float | None:
        """The smallest difference between two contenders that can be seen, the median over pairs."""
        return self.duels.typical_detectable(self.contenders)

    @cached_property
    def above_control(self) -> dict[str, Above]:
        """Whether each contender is above the best control; nothing where no control is ranked.

        Above is who ranks before it and is told apart from it; of a single seed, which has no test, who ranks before.
        """
        found: dict[str, Above] = {}
        for method in self.contenders if self.controls else []:
            best = self.controls[0]
            p_value = self.duels.p_value(method, best)
            told = p_value is None or p_value <= SIGNIFICANCE
            before = self.ranks[method].rank < self.ranks[best].rank
            found[method] = "no" if not before else "yes" if told else "not told apart"
        return found

    def beside(self, method: str) -> str | None:
        """Whom a method is tested against: its group's leader; for a leader the next, for the last the one before."""
        leader = self.ranks[method].leader
        if leader != method:
            return leader
        order = list(self.ranks)
        place = order.index(method)
        return next(iter([*order[place + 1 :][:1], *order[:place][-1:]]), None)


def standing(scores: TaskScores, budgets: Sequence[int]) -> Standing:
    """Where the methods of a task stand, over `budgets` together; found once, since every pair is tested."""
    key = tuple(budgets)
    if key not in scores.standings:
        scores.standings[key] = _standing(scores, budgets)
    kept: Standing = scores.standings[key]
    return kept


def _standing(scores: TaskScores, budgets: Sequence[int]) -> Standing:
    found = {method: scores.sample(method, budgets) for method in scores.methods if not scores.leaks(method)}
    samples = {method: sample for method, sample in found.items() if sample is not None}
    duels = Duels(samples, [method for method in samples if not scores.control(method)])
    ranks = {rank.method: rank for rank in rank_methods(samples, duels, scores.run.direction)}
    return Standing(ranks, duels, [method for method in ranks if scores.control(method)])


def bounds_in_words(scores: TaskScores, its: Standing) -> str:
    """Which contenders are not above the best control; empty where no control is ranked."""
    if not its.controls:
        return ""
    parts = []
    for word, saying in (("no", "not above it"), ("not told apart", "not told apart from it")):
        names = [scores.label(method) for method, above in its.above_control.items() if above == word]
        parts += [f"{saying}: {', '.join(names)}"] if names else []
    return f"Best control: {scores.label(its.controls[0])}; {'; '.join(parts) or 'every contender is above it'}."
