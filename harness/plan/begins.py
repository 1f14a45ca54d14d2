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


class Begins:
    """The checkpoints that jobs make, a preparation's or a backbone, looked up once for all cells."""

    def __init__(self, makers: Sequence[PrepareJob | BackboneJob]) -> None:
        bases = [Begin(maker.fingerprint, maker.checkpoint) for maker in makers if isinstance(maker, BackboneJob)]
        self.base = bases[0] if bases else None
        self.prepared = {
            (part.target, part.seed): Begin(part.fingerprint, part.folder)
            for maker in makers
            if isinstance(maker, PrepareJob)
            for part in maker.parts
        }

    def of(self, domain: str, seed: int) -> Begin:
        """The checkpoint for a domain and a seed: its own, or one that all domains share."""
        return self.base or self.prepared.get((domain, seed)) or self.prepared[None, seed]
