"""Scores of generated replies against plain loops: multi-bleu, distinct-n, and what is copied."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import Any

import pytest

from harness.score.metrics.dialogue import generated_scores
from harness.score.score import score_rows

KIND: Any = "dialogue"
WORDS = ["I", "am", "a", "Baker", ".", "yes", "no", "you"]
ASKED = ["Are", "you", "a", "baker", "?"]


def runs(words: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + size]) for place in range(len(words) - size + 1)]


def multi_bleu(made: list[str], wanted: list[str]) -> float:
    """Moses' script: counts over the corpus, clipped by the reference's, without smoothing; in small letters."""
    hits, total, length, reference = Counter[int](), Counter[int](), 0, 0
    for reply, its in zip(made, wanted, strict=True):
        words, right = reply.lower().split(), its.lower().split()
        length, reference = length + len(words), reference + len(right)
        for size in range(1, 5):
            there = Counter(runs(right, size))
            for run, count in Counter(runs(words, size)).items():
                hits[size] += min(count, there[run])
                total[size] += count
    if not all(hits[size] for size in range(1, 5)):
        return 0.0
    brevity = 1.0 if length > reference else math.exp(1 - reference / length)
    return 100 * brevity * math.exp(sum(math.log(hits[size] / total[size]) for size in range(1, 5)) / 4)


def drawn(seed: int, size: int = 30) -> tuple[list[str], list[str], list[str]]:
    rng = Random(seed)
    wanted = [" ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for _ in range(size)]
    made = [" ".join(word if rng.random() < 0.8 else "no" for word in its.split()) for its in wanted]
    asked = [" ".join(rng.choices(ASKED, k=5)) for _ in range(size)]
    return made, wanted, asked


@pytest.mark.parametrize("seed", range(4))
def test_drawn_replies_are_scored_as_by_plain_loops(seed: int) -> None:
    made, wanted, asked = drawn(seed)
    found = generated_scores(made, wanted, asked)
    assert found["bleu"] == pytest.approx(multi_bleu(made, wanted))
    for size in (1, 2):
        all_runs = [run for reply in made for run in runs(reply.lower().split(), size)]
        assert found[f"distinct{size}"] == pytest.approx(100 * len(set(all_runs)) / len(all_runs))
    copied = [
        word in its.lower().split() for reply, its in zip(made, asked, strict=True) for word in reply.lower().split()
    ]
    assert found["copied"] == pytest.approx(100 * sum(copied) / len(copied))


@pytest.mark.parametrize(
    ("made", "bleu", "distinct", "copied"),
    [
        (["I am a baker , yes"] * 2, 100.0, 50.0, 200 / 6),
        (["i AM a Baker , yes"] * 2, 100.0, 50.0, 200 / 6),
        (["", ""], 0.0, 0.0, 0.0),
        (["no", "no"], 0.0, 50.0, 0.0),
        (["baker", "am"], 0.0, 100.0, 50.0),
    ],
)
def test_odd_replies(made: list[str], bleu: float, distinct: float, copied: float) -> None:
    found = generated_scores(made, ["I am a baker , yes"] * 2, ["Am I ?"] * 2)
    assert found["bleu"] == pytest.approx(bleu)
    assert found["distinct1"] == pytest.approx(distinct)
    assert found["copied"] == pytest.approx(copied)


def test_as_many_replies_as_turns_are_asked_for() -> None:
    rows = [{"id": "a", "turns": [["Hi.", "Yes."], ["So?", "No."]], "predicted": {"replies": ["Yes."]}}]
    with pytest.raises(ValueError, match="gave 1 replies, and 2 were asked for"):
        score_rows(KIND, rows)
