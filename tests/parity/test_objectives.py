"""Pretraining objectives against what their papers say of them."""

from __future__ import annotations

import copy
from itertools import permutations
from random import Random
from typing import Any

import pytest

from harness.backbone.anatomy import Objective
from harness.data.kinds import IGNORED
from harness.data.task import Features
from harness.learn.objectives import (
    OBJECTIVES,
    SENTENCE_ENDS,
    causal,
    corrupted,
    deleted,
    denoised,
    masked,
    spans,
    windows,
)
from tests.models import sentences, tokenizer_for

BOS, EOS = 0, 2
DRAWS = 2000


def text(length: int, seed: int = 0, begin: int = 10) -> list[int]:
    """Ordinary tokens of one sentence, from the id `begin` on, between the signs of start and end."""
    rng = Random(seed)
    ends = tokenizer_for("bart").convert_tokens_to_ids(SENTENCE_ENDS)
    ordinary = [token for token in range(begin, 390) if token not in ends]
    return [BOS, *(rng.choice(ordinary) for _ in range(length)), EOS]


def is_subsequence(part: list[int], whole: list[int]) -> bool:
    rest = iter(whole)
    return all(token in rest for token in part)


@pytest.mark.parametrize("length", [1, 3, 20, 100])
def test_masked_chooses_fifteen_in_a_hundred(length: int) -> None:
    ids, tokenizer = text(length), tokenizer_for("bert")
    for draw in range(50):
        features = masked(ids, tokenizer, Random(draw))
        chosen = [place for place, label in enumerate(features["labels"]) if label != IGNORED]
        assert len(chosen) == max(1, round(0.15 * length))
        assert all(features["labels"][place] == ids[place] for place in chosen)
        assert not {0, len(ids) - 1} & set(chosen), "a special token was chosen"
        kept = set(range(len(ids))) - set(chosen)
        assert all(features["input_ids"][place] == ids[place] for place in kept)


def test_masked_shares_are_eighty_ten_ten() -> None:
    ids, tokenizer, rng = text(100), tokenizer_for("bert"), Random(0)
    counts = {"mask": 0, "same": 0, "other": 0}
    places: set[int] = set()
    for _ in range(DRAWS):
        features = masked(ids, tokenizer, rng)
        for place, label in enumerate(features["labels"]):
            if label != IGNORED:
                token = features["input_ids"][place]
                counts["mask" if token == tokenizer.mask_token_id else "same" if token == label else "other"] += 1
                places.add(place)
    total = sum(counts.values())
    assert counts["mask"] / total == pytest.approx(0.8, abs=0.01)
    assert counts["same"] / total == pytest.approx(0.1, abs=0.01)
    assert counts["other"] / total == pytest.approx(0.1, abs=0.01)
    assert places == set(range(1, 101))


def test_masked_of_signs_alone_masks_nothing() -> None:
    assert masked([BOS, EOS], tokenizer_for("bert"), Random(0)) == {"input_ids": [BOS, EOS], "labels": [IGNORED] * 2}


@pytest.mark.parametrize("length", [0, 1, 2, 10, 60, 120])
def test_denoised_keeps_labels_whole_and_inputs_in_order(length: int) -> None:
    ids, tokenizer = text(length), tokenizer_for("bart")
    before = list(ids)
    for draw in range(100):
        features = denoised(ids, tokenizer, Random(draw))
        assert features["labels"] == before == ids
        assert features["input_ids"][0] == BOS
        assert features["input_ids"][-1] == EOS
        kept = [token for token in features["input_ids"] if token != tokenizer.mask_token_id]
        assert is_subsequence(kept, ids)
        assert len(ids) - len(kept) <= round(0.3 * len(ids))


@pytest.mark.parametrize("length", [30, 60, 120])
def test_denoised_hides_three_in_ten_in_spans_of_three(length: int) -> None:
    ids, tokenizer, rng = text(length), tokenizer_for("bart"), Random(0)
    hidden = signs = 0
    places = [0] * len(ids)
    for _ in range(DRAWS):
        inputs = denoised(ids, tokenizer, rng)["input_ids"]
        signs += inputs.count(tokenizer.mask_token_id)
        hidden += len(ids) - sum(token != tokenizer.mask_token_id for token in inputs)
        held = set(inputs)
        for place, token in enumerate(ids):
            places[place] += token not in held
    assert hidden / DRAWS / length == pytest.approx(0.3, abs=0.015)
    assert 2.3 < hidden / signs < 3.2  # mean 3; the last span is cut to the share
    shares = [count / DRAWS for count in places[1:-1]]
    # No part of the text is spared: its end is hidden as often as its beginning.
    third = length // 3
    assert sum(shares[:third]) == pytest.approx(sum(shares[-third:]), rel=0.15)


def test_denoised_puts_sentences_in_every_order() -> None:
    tokenizer, rng = tokenizer_for("bart"), Random(0)
    ends = tokenizer.convert_tokens_to_ids(SENTENCE_ENDS)
    sentences = [[*text(4, seed)[1:-1], end] for seed, end in enumerate(ends)] + [text(4, 9)[1:-1]]  # the last is cut
    ids = [BOS, *(token for sentence in sentences for token in sentence), EOS]
    orders: set[tuple[int, ...]] = set()
    for _ in range(DRAWS):
        features = denoised(ids, tokenizer, rng)
        assert features["labels"] == ids
        assert (features["input_ids"][0], features["input_ids"][-1]) == (BOS, EOS)
        found = [token for token in features["input_ids"][1:-1] if token != tokenizer.mask_token_id]
        order = [next(at for at, sentence in enumerate(sentences) if token in sentence) for token in found]
        runs = [at for at, before in zip(order, [None, *order[:-1]], strict=True) if at != before]
        assert len(runs) == len(set(runs)), "a sentence was torn apart"
        for at in runs:
            assert is_subsequence([token for token, of in zip(found, order, strict=True) if of == at], sentences[at])
        orders.add(tuple(runs))
    assert {order for order in orders if len(order) == 4} == set(permutations(range(4)))


def test_causal_predicts_all_but_the_first() -> None:
    ids = text(5)
    assert causal(ids, tokenizer_for("gpt2"), Random(0)) == {"input_ids": ids, "labels": [IGNORED, *ids[1:]]}


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "bart"])
@pytest.mark.parametrize("max_length", [8, 17, 4096])
def test_windows_hold_every_token_once(architecture: str, max_length: int) -> None:
    tokenizer = tokenizer_for(architecture)
    found = windows(list(sentences()), tokenizer, max_length)
    for window in found:
        assert 3 <= len(window) <= max_length
        assert (window[0], window[-1]) == (BOS, EOS)
    inner = [token for window in found for token in window[1:-1]]
    assert inner == [token for line in sentences() for token in tokenizer(line, add_special_tokens=False)["input_ids"]]


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_an_epoch_reads_every_text_once_and_corrupts_anew(objective: Objective) -> None:
    tokenizer: Any = tokenizer_for("t5")  # which has the signs of all objectives
    texts = [text(30, seed) for seed in range(7)]
    one, two = (corrupted(texts, objective, tokenizer, 3, Random(0)) for _ in range(2))
    epochs = [[next(one) for _ in range(3)] for _ in range(2)]
    assert epochs == [[next(two) for _ in range(3)] for _ in range(2)]
    first, second = ([row for batch in epoch for row in batch] for epoch in epochs)
    assert len(first) == len(second) == len(texts)
    assert first != second
    if objective not in ("masked", "spans"):
        # All of a text stands in its labels, but the first token that a causal model is given.
        start = 1 if objective == "causal" else 0
        for epoch in (first, second):
            assert sorted(row["labels"][start:] for row in epoch) == sorted(ids[start:] for ids in texts)
    if objective != "causal":
        assert sorted(row["input_ids"] for row in first) != sorted(row["input_ids"] for row in second)


def put_together(features: Features, signs: list[int]) -> list[int]:
    """The text from which a text with numbered signs, and what they stand for, were made."""
    hidden: dict[int, list[int]] = {}
    for token in features["labels"][:-1]:
        if token in signs:
            hidden[token] = []
        else:
            hidden[list(hidden)[-1]].append(token)
    assert list(hidden) == signs[: len(hidden)], "the signs are not in their order"
    assert hidden[list(hidden)[-1]] == [], "no sign ends the last span"
    assert all(list(hidden.values())[:-1])
    return [each for token in features["input_ids"] for each in hidden.get(token, [token])]


@pytest.mark.parametrize("length", [2, 3, 20, 60, 120])
def test_spans_give_what_their_signs_hide(length: int) -> None:
    ids, tokenizer = text(length, begin=120), tokenizer_for("t5")
    signs = [tokenizer.convert_tokens_to_ids(f"<extra_id_{number}>") for number in range(100)]
    places = set()
    for draw in range(100):
        features = spans(ids, tokenizer, Random(draw))
        places |= {place for place, token in enumerate(features["input_ids"]) if token in signs}
        assert put_together(features, signs) == ids
        assert features["labels"][-1] == EOS
        used = sum(token in signs for token in features["input_ids"])
        hidden = length - (len(features["input_ids"]) - used - 2)
        assert hidden == max(1, round(0.15 * length))
        assert used == max(1, round(hidden / 3))
    assert min(places) == 1, "no span begins a text"
    assert len(ids) - hidden - 2 + used in places, "no span ends a text"


@pytest.mark.parametrize("length", [0, 1])
def test_spans_of_a_text_too_short_hide_nothing(length: int) -> None:
    ids = text(length)
    assert spans(ids, tokenizer_for("t5"), Random(0)) == {"input_ids": ids, "labels": [IGNORED] * len(ids)}


def test_spans_are_as_few_as_the_signs_of_the_tokenizer() -> None:
    tokenizer = copy.deepcopy(tokenizer_for("bart"))
    tokenizer.add_tokens(["▁<extra_id_0>", "▁<extra_id_1>"])  # as mT5's vocabulary has them
    signs = tokenizer.convert_tokens_to_ids(["▁<extra_id_0>", "▁<extra_id_1>"])
    features = spans(text(120), tokenizer, Random(0))
    assert put_together(features, signs) == text(120)
    assert sum(token in signs for token in features["input_ids"]) == 1


def test_deleted_leaves_out_what_denoised_puts_a_sign_for() -> None:
    ids, tokenizer = text(60), tokenizer_for("bart")
    for draw in range(20):
        one, other = denoised(ids, tokenizer, Random(draw)), deleted(ids, tokenizer, Random(draw))
        assert other["labels"] == one["labels"] == ids
        assert other["input_ids"] == [token for token in one["input_ids"] if token != tokenizer.mask_token_id]
        assert len(other["input_ids"]) == 2 + 60 - round(0.3 * 60)
