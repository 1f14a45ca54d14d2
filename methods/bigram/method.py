"""A language model of the pairs of tokens in the training examples."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from math import log
from typing import Any

from harness.contracts.adaptation import Encoded, TokenControl
from harness.data.kinds import IGNORED


class Bigram(TokenControl):
    """Bigrams interpolated with unigrams, and these with a uniform vocabulary, by Witten and Bell's weights."""

    def predict_tokens(self, train: list[Encoded], test: list[Encoded], vocabulary: int) -> list[Any]:
        """Of each text the negative log-likelihood in nats, and how many tokens it sums over."""
        model = Counts([pair for windows in train for pair in pairs(windows)], vocabulary)
        found = []
        for windows in test:
            nats = [-log(model.probability(before, token)) for before, token in pairs(windows)]
            found.append({"nll": sum(nats), "tokens": len(nats)})
        return found


class Counts:
    """P(w | v) = (c(v w) + t(v) P(w)) / (c(v) + t(v)), where t(v) is how many tokens were seen behind v.

    P(w) is made the same way from all tokens, with 1 / vocabulary in the place of P(w). Witten and Bell (1991),
    method C; the recursion is equation 17 of Chen and Goodman (1999).
    """

    def __init__(self, seen: list[tuple[int, int]], vocabulary: int) -> None:
        self.behind: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.tokens = Counter(token for _, token in seen)
        self.vocabulary = vocabulary
        for before, token in seen:
            self.behind[before][token] += 1

    def probability(self, before: int, token: int) -> float:
        """P(token | before), above 0 for every token of the vocabulary."""
        alone = interpolated(self.tokens, token, 1 / self.vocabulary)
        return interpolated(self.behind[before], token, alone) if before in self.behind else alone


def interpolated(counts: Counter[int], token: int, otherwise: float) -> float:
    """The share of `token` among `counts`, mixed with what it is `otherwise`, the more so the more kinds there are."""
    whole, kinds = counts.total(), len(counts)
    return (counts[token] + kinds * otherwise) / (whole + kinds) if whole else otherwise


def pairs(windows: Encoded) -> Iterator[tuple[int, int]]:
    """Each token that is scored, behind the one before it."""
    for window in windows:
        for before, token in zip(window["input_ids"], window["labels"][1:], strict=False):
            if token != IGNORED:
                yield before, token
