"""The tag that a word most often has in the training examples."""

from collections import Counter, defaultdict
from typing import Any

from harness.contracts.adaptation import Control


class Majority(Control):
    """A lookup of words, blind to context."""

    def predict(self, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> list[Any]:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for example in train:
            for token, tag in zip(example["tokens"], example["tags"], strict=True):
                counts[token][tag] += 1
        best = {token: tags.most_common(1)[0][0] for token, tags in counts.items()}
        return [[best.get(token, "O") for token in example["tokens"]] for example in test]
