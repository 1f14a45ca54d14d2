"""How a model that labels the pieces of words gives words their tags. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from harness.contracts.task import Decoding, Pieces


@dataclass(frozen=True)
class Labelling:
    """What of a word is learned from and read, and how a sentence's tags are chosen."""

    decoding: Decoding = "independent"  # constrained: the likeliest tags of a sentence that are valid IOB2
    pieces: Pieces = "first"  # all: each is learned from, and a word's logits are the mean of its pieces'

    def unusual(self) -> dict[str, str]:
        """What is not as it mostly is."""
        usual = asdict(Labelling())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}
