"""Equal trainable shares: the size at which adaptations train a wanted share of the backbone.

The share is what trains in and beside the body, divided by what the checkpoint's body holds. The task's
head counts on neither side, since it trains under every method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import ValidationError

from harness.backbone.backbone import Backbone
from harness.base.errors import Unsupported
from harness.contracts.adaptation import Adaptation

Outline = Callable[[], Backbone]


@dataclass(frozen=True)
class Match:
    """The adaptations at the sizes that were solved, the share that they train, and the sizes in words."""

    adaptations: list[Adaptation]
    share: float
    sized: str


def body_parameters(backbone: Backbone) -> int:
    """How many parameters the body has before anything is attached."""
    return sum(value.numel() for name, value in backbone.model.named_parameters() if not backbone.is_head(name))


def trained_in_body(backbone: Backbone) -> int:
    """How many parameters train, the head's aside."""
    return sum(value.numel() for name, value in backbone.trained().items() if not backbone.is_head(name))


def match(adaptations: Sequence[Adaptation], wanted: float, outline: Outline) -> Match:
    """The adaptations resized so that the share they train is the nearest to `wanted`.

    `outline` gives a fresh backbone without weights. The largest of the sizes runs over the whole numbers; where
    several parts have a size, all grow by one factor, so that they keep the proportions of method.yaml. The
    number of trained parameters must not fall as a size grows. Of two sizes equally near the smaller is taken.
    """
    total = body_parameters(outline())

    @cache
    def count(size: int) -> int | None:
        """The parameters that train at a size; None where an adaptation refuses the size."""
        try:
            return trained_in_body(attach_outline(resized(adaptations, size), outline()))
        except (ValidationError, Unsupported):
            return None

    size = _nearest(count, wanted * total, _smallest(count, adaptations, outline))
    parts, trained = resized(adaptations, size), count(size)
    assert trained is not None
    return Match(parts, trained / total, in_words(parts))


def attach_outline(adaptations: Sequence[Adaptation], backbone: Backbone) -> Backbone:
    """The outline of a backbone, with the adaptations attached."""
    with backbone.device:  # what is created is as weightless as the outline
        for adaptation in adaptations:
            adaptation.attach(backbone)
    return backbone


def resized(adaptations: Sequence[Adaptation], size: int) -> list[Adaptation]:
    """The adaptations with their largest size set to `size`, the others by the same factor, none below 1."""
    largest = max(sizes(adaptations))
    parts = []
    for part in adaptations:
        if part.sized_by:
            its = max(1, round(getattr(part, part.sized_by) * size / largest))
            part = type(part).model_validate(part.model_dump(exclude_unset=True) | {part.sized_by: its})
        parts.append(part)
    return parts


def sizes(adaptations: Sequence[Adaptation]) -> list[int]:
    """The sizes that the adaptations have; those without one are left out."""
    return [int(getattr(part, part.sized_by)) for part in adaptations if part.sized_by]


def sized_as(part: Adaptation) -> dict[str, int]:
    """The option that sizes an adaptation, with its value; nothing where none does."""
    return {part.sized_by: getattr(part, part.sized_by)} if part.sized_by else {}


def in_words(adaptations: Sequence[Adaptation]) -> str:
    """The sizes for a reader, as in "rank 4"."""
    return ", ".join(f"{part.sized_by} {getattr(part, part.sized_by)}" for part in adaptations if part.sized_by)


def _smallest(count: Callable[[int], int | None], adaptations: Sequence[Adaptation], outline: Outline) -> int:
    """The smallest size that is not refused; raises what attaching raises where even method.yaml's size is."""
    for size in range(1, max(sizes(adaptations)) + 1):
        if count(size) is not None:
            return size
    attach_outline(adaptations, outline())
    raise Unsupported("the adaptation refuses every size up to the one in method.yaml")


def _nearest(count: Callable[[int], int | None], wanted: float, low: int) -> int:
    """The size whose count is nearest to `wanted`, from `low` on, for counts that never fall."""

    def too_large(size: int) -> bool:
        found = count(size)
        return found is None or found >= wanted

    if too_large(low):
        return low
    high = 2 * low
    while not too_large(high):
        if count(high) == count(low):
            raise Unsupported("the option that sized_by names does not change how many parameters train")
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if too_large(middle) else (middle, high)
    # Rounded, so that the last binary digit of the share does not decide between two equally near sizes.
    near = {size: round(abs(found - wanted), 3) for size in (low, high) if (found := count(size)) is not None}
    return min(near, key=lambda size: (near[size], size))
