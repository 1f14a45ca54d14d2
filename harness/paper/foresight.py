"""What a configuration could see of the claims before it is run, from the variances of a pilot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.contracts.claim import Claim
from harness.contracts.paper import PaperSpec
from harness.contracts.plan import Plan
from harness.paper.claims import shown_effect
from harness.paper.contrasts import NotRun, contrasts, obstacle
from harness.paper.evidence import Evidence
from harness.table.pivot import POWER, Pivot, pivot


@dataclass(frozen=True)
class Foreseen:
    """What is to be expected of one claim; numbers are of the difference that will be the hardest to see."""

    name: str
    claim: Claim
    seeds: int
    detectable: float | None = None
    power: float | None = None
    seeds_needed: int | None = None
    why: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The line for a reader."""
        return (
            self.name,
            shown_effect(self.claim, self.claim.smallest),
            shown_effect(self.claim, self.detectable),
            "–" if self.power is None else f"{self.power:.0%}",
            str(self.seeds),
            "–" if self.seeds_needed is None else str(self.seeds_needed),
            self.why,
        )


def foresee(plan: Plan, pilot: Evidence, papers: Mapping[str, PaperSpec]) -> list[Foreseen]:
    """Every claim under a plan: its test examples are taken to be the pilot's, its seeds are its own.

    More seeds shrink the seeds' part of a variance; the examples' part stays.
    """
    return [
        _foreseen(plan, pilot, f"{paper}/{title}", claim)
        for paper, spec in papers.items()
        for title, claim in spec.claims.items()
    ]


def _foreseen(plan: Plan, pilot: Evidence, name: str, claim: Claim) -> Foreseen:
    seeds = len(plan.seeds)
    if stopped := obstacle(plan, claim):
        return Foreseen(name, claim, seeds, why=stopped.words)
    found = contrasts(pilot, claim)
    if isinstance(found, NotRun):
        return Foreseen(name, claim, seeds, why=f"the pilot: {found.words}")
    pivots = [its for contrast in found if (its := pivot(contrast.sample)) is not None]
    if len(pivots) < len(found) or claim.kind == "number":
        return Foreseen(name, claim, seeds, why="the pilot has a single seed" if claim.kind != "number" else "a number")
    hardest = max(pivots, key=lambda its: float(its.standard_error))
    if seeds < 2:
        return Foreseen(name, claim, seeds, seeds_needed=hardest.seeds_needed(claim.smallest), why="a single seed")
    then = at_seeds(hardest, seeds)
    needed = hardest.seeds_needed(claim.smallest)
    why = "" if needed else "no number of seeds would do without more test examples"
    detectable, power = float(then.smallest_detectable(POWER)), float(then.power(claim.smallest))
    return Foreseen(name, claim, seeds, detectable, power, needed, why)


def at_seeds(its: Pivot, seeds: int) -> Pivot:
    """The pivot that as many seeds would give, were their spread the same."""
    return replace(its, seed_part=its.seed_part * its.seeds / seeds, seeds=seeds)
