"""The tags of a sentence, chosen by the logits of its words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from harness.contracts.task import Decoding


def of_words(logits: Tensor, pieces: Sequence[Sequence[int]]) -> Tensor:
    """[words, labels]: the mean logits of each word's pieces, whose places in `logits`, [pieces, labels], are given."""
    words = [word for word, places in enumerate(pieces) for _ in places]
    read = logits[[place for places in pieces for place in places]]
    sums = logits.new_zeros(len(pieces), logits.shape[1]).index_add_(0, torch.tensor(words, dtype=torch.long), read)
    return sums / torch.tensor([len(places) for places in pieces]).view(-1, 1)


def independent(logits: Tensor, labels: Sequence[str]) -> list[str]:
    """The likeliest tag of each word, whatever its neighbours have; `logits` are [words, labels]."""
    return [labels[place] for place in logits.argmax(-1).tolist()]


def constrained(logits: Tensor, labels: Sequence[str]) -> list[str]:
    """The likeliest tags of the words together among those that are valid IOB2; `logits` are [words, labels].

    Words are independent but for that: an I- stands behind a B- or I- of its type alone (Viterbi, 1967).
    """
    if not len(logits):
        return []
    scores = logits.double().log_softmax(-1)
    allowed = _allowed(labels)
    best = scores[0] + _begins(labels)
    froms = []
    for its in scores[1:]:
        best, before = (best[:, None] + allowed).max(0)
        best = best + its
        froms.append(before)
    path = [int(best.argmax())]
    for before in reversed(froms):
        path.append(int(before[path[-1]]))
    return [labels[place] for place in reversed(path)]


def _allowed(labels: Sequence[str]) -> Tensor:
    """[before, after]: 0 where a tag may stand behind another, and minus infinity where it may not."""
    inside = [[not after.startswith("I-") or before[1:] == after[1:] for after in labels] for before in labels]
    return _open(inside)


def _begins(labels: Sequence[str]) -> Tensor:
    """[labels]: 0 where a sentence may begin with a tag."""
    return _open([not label.startswith("I-") for label in labels])


def _open(may: Sequence[bool] | Sequence[Sequence[bool]]) -> Tensor:
    return torch.where(torch.tensor(may), 0.0, -math.inf).double()


CHOICES: dict[Decoding, Callable[[Tensor, Sequence[str]], list[str]]] = {
    "independent": independent,
    "constrained": constrained,
}
