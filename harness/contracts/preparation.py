"""The contract of a preparation: what is done to a backbone before it sees the target domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.method import Kind
from harness.contracts.model import Strict
from harness.contracts.task import Role

if TYPE_CHECKING:
    from harness.prepare.workshop import Workshop


class Preparation(Strict):
    """Continued training of a backbone. Subclass it in `harness/prepare/`; fields are its options."""

    pretrains: ClassVar[bool] = False  # whether it trains by the backbone's own objective, with the head of that

    @property
    def per_domain(self) -> bool:
        """Whether each target domain has a checkpoint of its own."""
        return False

    @property
    def uses_adaptation(self) -> bool:
        """Whether the method's adaptation takes part, so that the result depends on it."""
        return False

    def reads(self, roles: dict[str, Role], target: str | None) -> list[str]:
        """The domains that it may read; the workshop refuses any other."""
        return [target] if target else [domain for domain, role in roles.items() if role != "meta_test"]

    def reads_targets(self, kind: Kind) -> bool:
        """Whether it reads labelled examples of the domains that are scored; tables then carry a mark."""
        return False

    def refuses(self, adaptations: Sequence[Adaptation | Control]) -> str | None:
        """Why it cannot work with the adaptations that take part, with the mend; None where it can."""
        for part in adaptations if self.uses_adaptation else ():
            for hook in ("penalty", "after_step"):
                if isinstance(part, Adaptation) and getattr(type(part), hook) is not getattr(Adaptation, hook):
                    return f"it would leave out {type(part).__name__}.{hook}; use a preparation of the backbone alone"
        return None

    def sentences(self, domains: int) -> int:
        """How many sentences its training reads, about, of so many domains: for the plan's estimate of time alone."""
        return int(getattr(self, "steps", 0)) * int(getattr(self, "batch_size", 0))

    def prepare(self, workshop: Workshop) -> None:
        """Train what `workshop` gives and save it with `workshop.save`."""
        raise NotImplementedError(f"{type(self).__name__} must define prepare")


class DomainPreparation(Preparation):
    """A preparation that learns from the labelled examples of several domains.

    `domains` says which: those with the role meta_train; all, the target among them, as the released code of
    Hou et al. (2022) has it; or all but the target.
    """

    domains: Literal["meta_train", "overlap", "leave_one_out"] = "meta_train"

    @property
    def per_domain(self) -> bool:
        return self.domains == "leave_one_out"

    def reads_targets(self, kind: Kind) -> bool:
        return self.domains == "overlap"

    def reads(self, roles: dict[str, Role], target: str | None) -> list[str]:
        return self.learned(roles, target)

    def learned(self, roles: dict[str, Role], target: str | None) -> list[str]:
        """The domains that are learned from; `target` is the one that is left out, if any is."""
        if self.domains == "meta_train":
            return [domain for domain, role in roles.items() if role == "meta_train"]
        return [domain for domain in roles if domain != target]
