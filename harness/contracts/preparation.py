"""The contract of a preparation: what is done to a backbone before it sees the target domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.contracts.model import Strict

if TYPE_CHECKING:
    from harness.prepare.workshop import Workshop


class Preparation(Strict):
    """Continued training of a backbone. Subclass it in `harness/prepare/`; fields are its options."""

    per_domain: ClassVar[bool] = False  # a checkpoint for each target domain, or one for all
    uses_adaptation: ClassVar[bool] = False  # its result depends on the method's adaptation

    def prepare(self, workshop: Workshop) -> None:
        """Train what `workshop` gives and save it with `workshop.save`."""
        raise NotImplementedError(f"{type(self).__name__} must define prepare")
