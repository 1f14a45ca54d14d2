"""Hidden states of a sentence, computed once and kept for every step that reads it, where what gives them is frozen."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from harness.backbone.backbone import Backbone
from harness.backbone.frozen import STATES, Frozen
from harness.data.task import Features
from harness.learn.batches import Batch, by_length, collate

BATCH = 32
MOST = 1 << 30  # bytes of kept states; where there would be more, frozen layers are run at every step
FLOAT = 4  # bytes of a number

Rows = list[dict[str, Tensor]]  # of each sentence what a batch holds of it, [tokens, width]


@dataclass
class Shelf:
    """What is kept from one training to the next, for those that read the same sentences from the same checkpoint.

    So the trials of a search run the frozen layers once for all their rates. At most MOST bytes.
    """

    held: dict[Hashable, Rows] = field(default_factory=dict)

    def hold(self, key: Hashable, rows: Rows) -> None:
        """Keep the rows of a key, if there is room."""
        if _bytes([*self.held.values(), rows]) <= MOST:
            self.held[key] = rows


class Kept:
    """The states that the frozen layers of a backbone give of each of its sentences.

    Nothing is kept, and frozen layers are run at each step, where that is better: where no layer is frozen, where the
    `reads` sentences of all steps are no more than there are, and where the states would take more than MOST bytes.
    What the shelf holds of the same `origin`, which names the sentences and the checkpoint, is taken from there.
    """

    def __init__(
        self,
        backbone: Backbone,
        features: Sequence[Features],
        pad: int,
        reads: int,
        shelf: Shelf | None = None,
        origin: Hashable = None,
    ) -> None:
        self.rows: Rows = []
        self.frozen = Frozen(backbone)
        tokens = sum(_tokens(backbone, row, stack) for row in features for stack in self.frozen.layers)
        if 0 < tokens * backbone.width * FLOAT <= MOST and reads > len(features):
            backbone.frozen = self.frozen
            backbone.eval()
            self._take(backbone, features, pad, shelf or Shelf(), origin)
        self.version = self.frozen.version()

    def of(self, places: Sequence[int]) -> Batch:
        """What a batch of the sentences at `places` holds of them, [batch, longest, width], by its name there.

        An adaptation may change what no gradient reaches: from then on nothing is kept.
        """
        if self.rows and self.frozen.version() != self.version:
            self.rows = []
        rows = [self.rows[place] for place in places] if self.rows else []
        names = rows[0] if rows else ()
        return {name: pad_sequence([row[name] for row in rows], batch_first=True) for name in names}

    def _take(self, backbone: Backbone, features: Sequence[Features], pad: int, shelf: Shelf, origin: Hashable) -> None:
        depths = tuple((stack, len(layers)) for stack, layers in self.frozen.layers.items())
        held = shelf.held.get((origin, depths))
        if held is None:
            self.rows = self._read(backbone, features, pad)
            shelf.hold((origin, depths), self.rows)
        else:
            self._read(backbone, features[:1], pad)  # a pass tells what else the layers give, and that none trains
            self.rows = held

    def _read(self, backbone: Backbone, features: Sequence[Features], pad: int) -> Rows:
        rows: Rows = [{} for _ in features]
        for places in by_length(features, BATCH):
            batch = collate([features[place] for place in places], pad, backbone.device)
            for stack, states in _states(backbone, self.frozen, batch).items():
                for place, row in zip(places, states, strict=True):
                    # A copy, since a slice would hold its whole batch in memory.
                    its = row[: max(1, _tokens(backbone, features[place], stack))].clone()
                    rows[place][STATES + stack] = its
        return rows


def _states(backbone: Backbone, frozen: Frozen, batch: Batch) -> dict[str, Tensor]:
    """What the frozen layers give of a batch. With gradients on, so that it shows if one would reach below them."""
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if backbone.segments else [])]
    inputs: dict[str, Any] = {name: batch[name] for name in names if name in batch}
    if len(backbone.stacks()) > 1 and backbone.kind != "sequence-classification":
        model: Any = backbone.transformer
        inputs["decoder_input_ids"] = model.prepare_decoder_input_ids_from_labels(labels=batch["labels"])
    with torch.enable_grad(), frozen.read() as found:
        backbone.body(**inputs)
    for stack, states in found.items():
        if states.requires_grad:
            raise RuntimeError(f"something trains below the frozen layers of the {stack}: their states cannot be kept")
    return found


def _tokens(backbone: Backbone, row: Features, stack: str) -> int:
    """How many tokens of a sentence a stack reads: a decoder behind an encoder reads the answer that it writes."""
    first = stack == next(iter(backbone.anatomy.stacks)) or backbone.kind == "sequence-classification"
    return len(row["input_ids" if first else "labels"])


def _bytes(held: Sequence[Rows]) -> int:
    """The bytes of all that is held."""
    return sum(value.numel() * value.element_size() for rows in held for row in rows for value in row.values())
