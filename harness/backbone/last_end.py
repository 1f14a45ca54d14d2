"""An encoder-decoder that classifies texts, whatever the number of end signs in each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import BartForSequenceClassification
from transformers.modeling_outputs import SequenceClassifierOutput


class BartLastEnd(BartForSequenceClassification):
    """BART's classifier, which reads the decoder at a text's last end sign (Lewis et al., 2020, section 3.1).

    The library's own asks that all texts of a batch have as many end signs, and of two texts there are more. The
    decoder reads the text itself, shifted by one, as there.
    """

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **options: Any) -> Any:
        """Logits [batch, rows]; raises ValueError where a text has no end sign."""
        hidden: Tensor = self.model(input_ids, attention_mask=attention_mask, **options).last_hidden_state
        ends = input_ids == self.config.eos_token_id
        if not ends.any(1).all():
            raise ValueError("a text has no end sign, at which its class is read")
        last = (torch.arange(input_ids.shape[1], device=ends.device) * ends).argmax(1)
        read = hidden[torch.arange(len(hidden), device=hidden.device), last]
        return SequenceClassifierOutput(logits=self.classification_head(read))
