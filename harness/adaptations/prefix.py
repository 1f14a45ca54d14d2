"""Prefix tuning (Li and Liang, 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from harness.contracts.adaptation import Adaptation

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


class Prefix(Adaptation):
    """Keys and values before those of every attention (Li and Liang, 2021, section 4).

    They are trained directly, or, with `hidden`, through an MLP with a hidden layer of that width.
    """

    length: int = Field(8, ge=1)
    hidden: int | None = Field(None, ge=1)

    @property
    def sized_by(self) -> str:  # type: ignore[override]
        """With an MLP its width, which sets nearly all that trains; else the length."""
        return "hidden" if self.hidden else "length"

    def attach(self, backbone: Backbone) -> None:
        from harness.adaptations.keys_and_values import KeysAndValues, Reparameterized, Trunk

        trunk = Trunk(backbone.width, self.length, self.hidden) if self.hidden else None
        for attention in backbone.attentions():
            heads, width = attention.heads, attention.head_width
            module = Reparameterized(trunk, heads, width) if trunk else KeysAndValues(heads, self.length, width)
            attention.prefix(module)
