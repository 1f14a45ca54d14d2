"""The checkpoint that a cell, or a trial of a search, begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.contracts.plan import BackboneJob, PrepareJob


@dataclass(frozen=True)
class Begin:
    """The checkpoint that a cell begins with; a control needs none."""

    fingerprint: str
    checkpoint: str


def begins_with(makers: Sequence[PrepareJob | BackboneJob], domain: str, seed: int) -> Begin:
    """The checkpoint of a domain and a seed, from the jobs that make such: a preparation's, or a backbone."""
    found: dict[tuple[str | None, int], Begin] = {}
    for maker in makers:
        if isinstance(maker, BackboneJob):
            return Begin(maker.fingerprint, maker.checkpoint)
        found |= {(part.target, part.seed): Begin(part.fingerprint, part.folder) for part in maker.parts}
    return found.get((domain, seed)) or found[None, seed]
