"""How a text is generated. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Generation:
    """Beam search, in the names that transformers has for its settings.

    A checkpoint brings settings of its own, made for one data set. They would make methods on two checkpoints differ
    in more than the checkpoint, so none of them counts: these alone decide, and stand in the record.
    """

    num_beams: int = 4
    length_penalty: float = 1.0  # of the sum of log-probabilities by the number of tokens
    no_repeat_ngram_size: int = 0  # no run of so many tokens comes twice; 0: any may
    early_stopping: bool = False  # go on while a better beam may come
    forced_end: bool = True  # the last token of the longest text is the end sign, as in BART's pretraining

    def described(self, longest: int) -> dict[str, Any]:
        """For the record of a cell whose texts are at most `longest` tokens long."""
        return {**asdict(self), "do_sample": False, "max_new_tokens": longest}
