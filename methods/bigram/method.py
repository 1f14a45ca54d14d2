"""A language model of the pairs of tokens in the training examples."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from math import log
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from harness.contracts.adaptation import Encoded, TokenControl
from harness.data.kinds import IGNORED


class Bigram(TokenControl):
    """Bigrams interpolated with unigrams and a uniform vocabulary, by fixed weights (Jelinek and Mercer, 1980)."""

    bigrams: float = Field(0.5, ge=0, le=1)
    unigrams: float = Field(0.4, ge=0, le=1)

    @field_validator("unigrams")
    @classmethod
    def _leave_some_over(cls, value: float, others: ValidationInfo) -> float:
        if value + others.data.get("bigrams", 0) >= 1:
            raise ValueError("with `bigrams` it leaves nothing to tokens that were never seen; lower one of them")
        return value

    def predict_tokens(self, train: list[Encoded], test: list[Encoded], vocabulary: int) -> list[Any]:
        """Of each text the negative log-likelihood in nats, and how many tokens it sums over."""
        counts = Counts([pair for windows in train for pair in pairs(windows)])
        unseen = (1 - self.bigrams - self.unigrams) / vocabulary
        found = []
        for windows in test:
            nats = [-log(counts.mixed(*pair, self.bigrams, self.unigrams) + unseen) for pair in pairs(windows)]
            found.append({"nll": sum(nats), "tokens": len(nats)})
        return found


class Counts:
    """How often each token was seen, and how often behind each other."""

    def __init__(self, seen: list[tuple[int, int]]) -> None:
        self.behind: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.tokens = Counter(token for _, token in seen)
        self.whole = len(seen)
        for before, token in seen:
            self.behind[before][token] += 1

    def mixed(self, before: int, token: int, bigrams: float, unigrams: float) -> float:
        """`bigrams` times P(token | before) plus `unigrams` times P(token).

        Behind a token that was never seen, P(token) stands for both.
        """
        alone = self.tokens[token] / self.whole
        after = self.behind.get(before)
        return bigrams * (after[token] / after.total() if after else alone) + unigrams * alone


def pairs(windows: Encoded) -> Iterator[tuple[int, int]]:
    """Each token that is scored, behind the one before it."""
    for window in windows:
        for before, token in zip(window["input_ids"], window["labels"][1:], strict=False):
            if token != IGNORED:
                yield before, token
