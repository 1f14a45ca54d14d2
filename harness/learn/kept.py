"""Hidden states of a sentence, computed once and kept for every step that reads it, where what gives them is frozen."""

from __future__ import annotations

from collections.abc import Sequence
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


class Kept:
    """The states that the frozen layers of a backbone give of each of its sentences.

    Nothing is kept, and frozen layers are run at each step, where that is better: where no layer is frozen, where the
    `reads` sentences of all steps are no more than there are, and where the states would take more than MOST bytes.
    """

    def __init__(self, backbone: Backbone, features: Sequence[Features], pad: int, reads: int) -> None:
        self.rows: list[dict[str, Tensor]] = []  # of each sentence what a batch holds of it, [tokens, width]
        self.frozen = Frozen(backbone)
        tokens = sum(_tokens(backbone, row, stack) for row in features for stack in self.frozen.layers)
        if 0 < tokens * backbone.width * FLOAT <= MOST and reads > len(features):
            backbone.frozen = self.frozen
            backbone.eval()
            self._read(backbone, features, pad)
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

    def _read(self, backbone: Backbone, features: Sequence[Features], pad: int) -> None:
        self.rows = [{} for _ in features]
        for places in by_length(features, BATCH):
            batch = collate([features[place] for place in places], pad, backbone.device)
            for stack, states in _states(backbone, self.frozen, batch).items():
                for place, row in zip(places, states, strict=True):
                    # A copy, since a slice would hold its whole batch in memory.
                    its = row[: max(1, _tokens(backbone, features[place], stack))].clone()
                    self.rows[place][STATES + stack] = its


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
