"""Pretraining objectives: masked language modelling, causal language modelling, and three of rebuilding a text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from harness.backbone.anatomy import Objective
from harness.backbone.tokenizer import text_signs
from harness.base.errors import bad
from harness.contracts.method import Kind
from harness.data.kinds import IGNORED
from harness.data.task import Features
from harness.learn.batches import similar_lengths

MASKED = 0.15  # BERT's share of masked tokens (Devlin et al., 2019, section 3.1)
INFILLED = 0.3  # BART's share of masked tokens (Lewis et al., 2020, section 3)
SPAN = 3.0  # the mean span: BART's are Poisson distributed, T5's cut at random (Raffel et al., 2020, section 3.3.4)
HIDDEN = 0.15  # T5's share of hidden tokens (section 3.3.3)
SENTINELS = ("<extra_id_{}>", "▁<extra_id_{}>")  # as vocabularies of T5 and of mT5 have their numbered signs
SENTENCE_ENDS = [".", "!", "?"]


def windows(texts: list[str], tokenizer: Any, max_length: int) -> list[list[int]]:
    """The texts' token ids with the tokenizer's own special tokens, long texts cut into several windows."""
    before, after = text_signs(tokenizer)
    room = max_length - len(before) - len(after)
    found = []
    for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]:
        for begin in range(0, len(ids), room):
            found.append([*before, *ids[begin : begin + room], *after])
    return found


def masked(ids: list[int], tokenizer: Any, rng: Random) -> Features:
    """Mask 15% of the tokens: 80% by the mask sign, 10% by a random token, 10% left as they are."""
    special = set(tokenizer.all_special_ids)
    places = [place for place, token in enumerate(ids) if token not in special]
    chosen = set(rng.sample(places, max(1, round(MASKED * len(places))))) if places else set()
    inputs, labels = list(ids), [IGNORED] * len(ids)
    for place in sorted(chosen):
        labels[place] = ids[place]
        draw = rng.random()
        if draw < 0.8:
            inputs[place] = tokenizer.mask_token_id
        elif draw < 0.9:
            inputs[place] = rng.randrange(len(tokenizer))
    return {"input_ids": inputs, "labels": labels}


def causal(ids: list[int], tokenizer: Any, rng: Random) -> Features:
    """Predict every token from those before it."""
    return {"input_ids": list(ids), "labels": [IGNORED, *ids[1:]]}


def denoised(ids: list[int], tokenizer: Any, rng: Random) -> Features:
    """Rebuild a text from its sentences in another order, 30% of their tokens hidden.

    The two corruptions of BART (Lewis et al., 2020, section 2.2): sentence permutation, and spans that are each
    replaced by one mask sign. Without the first a small model learns only where words move to, and copies by place.
    """
    return _rebuilt(ids, [tokenizer.mask_token_id], tokenizer, rng)


def deleted(ids: list[int], tokenizer: Any, rng: Random) -> Features:
    """`denoised` for a tokenizer without a mask sign: the spans are left out (Lewis et al., 2020, section 2.2)."""
    return _rebuilt(ids, [], tokenizer, rng)


def spans(ids: list[int], tokenizer: Any, rng: Random) -> Features:
    """Give the 15% of a text that are hidden, in spans of three tokens on average.

    Each span is replaced by a sign with its number, and given behind that sign; the next sign ends the last one
    (Raffel et al., 2020, section 3.1.4). They stand anywhere, where T5's own code always hides a text's end. A text of
    fewer than two tokens hides nothing.
    """
    special = set(tokenizer.all_special_ids)
    text = [token for token in ids if token not in special]
    begin, end = (ids.index(text[0]), len(ids) - ids[::-1].index(text[-1])) if text else (0, 0)
    hidden = min(max(1, round(HIDDEN * len(text))), len(text) - 1)
    count = min(max(1, round(hidden / SPAN)), len(text) - hidden)
    signs = list(_sentinels(tokenizer, count + 1))
    count = min(count, len(signs) - 1)
    if count < 1 or hidden < 1:
        return {"input_ids": list(ids), "labels": [IGNORED] * len(ids)}
    inputs, labels, place = ids[:begin], [], 0
    before, *others = _cut(len(text) - hidden + 2, count + 1, rng)  # one more at each end, where nothing need be kept
    for number, (kept, lost) in enumerate(zip([before - 1, *others], _cut(hidden, count, rng), strict=False)):
        inputs += [*text[place : place + kept], signs[number]]
        labels += [signs[number], *text[place + kept : place + kept + lost]]
        place += kept + lost
    inputs += [*text[place:], *ids[end:]]
    return {"input_ids": inputs, "labels": [*labels, signs[count], tokenizer.eos_token_id]}


def _sentinels(tokenizer: Any, count: int) -> Iterator[int]:
    """The ids of the first `count` numbered signs, or of as many as the tokenizer has."""
    for number in range(count):
        forms = (tokenizer.convert_tokens_to_ids(form.format(number)) for form in SENTINELS)
        known = [found for found in forms if found not in (None, tokenizer.unk_token_id)]
        if not known:
            return
        yield known[0]


def _cut(total: int, count: int, rng: Random) -> list[int]:
    """`count` lengths of at least one that sum to `total`, every such cut as likely."""
    ends = [0, *sorted(rng.sample(range(1, total), count - 1)), total]
    return [end - begin for begin, end in pairwise(ends)]


def _rebuilt(ids: list[int], sign: list[int], tokenizer: Any, rng: Random) -> Features:
    """A text from its sentences in another order, spans of them replaced by `sign`."""
    special = set(tokenizer.all_special_ids)
    text = _permuted([token for token in ids if token not in special], tokenizer, rng)
    spans = _spans(round(INFILLED * len(text)), rng)
    kept = len(text) - sum(spans)
    hidden: set[int] = set()  # places among the ordinary tokens
    signs: Counter[int] = Counter()
    for before, span in zip(sorted(rng.randrange(kept + 1) for _ in spans), spans, strict=True):
        begin = before + len(hidden)
        signs[begin] += 1
        hidden |= set(range(begin, begin + span))
    inputs: list[int] = []
    place = 0
    for token in ids:
        if token in special:
            inputs.append(token)
            continue
        inputs += sign * signs[place]
        if place not in hidden:
            inputs.append(text[place])
        place += 1
    return {"input_ids": inputs, "labels": list(ids)}


def _permuted(text: list[int], tokenizer: Any, rng: Random) -> list[int]:
    """The sentences of a text without special tokens in a random order; a sentence ends with one of `. ! ?`."""
    ends = set(tokenizer.convert_tokens_to_ids(SENTENCE_ENDS)) - {tokenizer.unk_token_id}
    sentences: list[list[int]] = [[]]
    for token in text:
        sentences[-1].append(token)
        if token in ends:
            sentences.append([])
    rng.shuffle(sentences)
    return [token for sentence in sentences for token in sentence]


def _spans(total: int, rng: Random) -> list[int]:
    """Poisson lengths that sum to `total`, the last one cut; a span of nothing only inserts a mask sign."""
    spans: list[int] = []
    while sum(spans) < total:
        spans.append(min(_poisson(SPAN, rng), total - sum(spans)))
    rng.shuffle(spans)  # or the one that was cut would always be the text's last
    return spans


def _poisson(mean: float, rng: Random) -> int:
    """A Poisson draw by Knuth's product of uniforms."""
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


OBJECTIVES: dict[Objective, Callable[[list[int], Any, Random], Features]] = {
    "masked": masked,
    "causal": causal,
    "denoised": denoised,
    "spans": spans,
    "deleted": deleted,
}
# The kind of task whose loss and model an objective has, its labels being tokens.
READS: dict[Objective, Kind] = {
    "masked": "token-classification",
    "causal": "causal-lm",
    "denoised": "summarization",
    "spans": "summarization",
    "deleted": "summarization",
}


def check_signs(checkpoint: Path, objective: Objective, tokenizer: Any) -> None:
    """Raise UserError where a tokenizer lacks a sign that an objective puts into a text."""
    if not tokenizer("a", add_special_tokens=False)["input_ids"]:
        mend = "it reads the text 'a' as nothing; take the tokenizer that the model was trained with"
        raise bad(checkpoint, "the tokenizer", type(tokenizer).__name__, mend)
    if None in [sign for signs in text_signs(tokenizer) for sign in signs]:
        mend = "continued pretraining puts it around a text; name one of the tokens in tokenizer_config.json"
        raise bad(checkpoint, "the tokenizer's eos_token", None, mend)
    if objective == "spans" and len(list(_sentinels(tokenizer, 2))) < 2:
        mend = f"continued pretraining hides tokens behind it; add {SENTINELS[0].format(0)} and those that follow"
        raise bad(checkpoint, "the tokenizer's numbered sign", None, mend)
    if objective in ("masked", "denoised") and tokenizer.mask_token_id is None:
        mend = "continued pretraining hides tokens behind it; name one of the tokens in tokenizer_config.json"
        raise bad(checkpoint, "the tokenizer's mask_token", None, mend)


def corrupted(
    texts: list[list[int]], objective: Objective, tokenizer: Any, size: int, rng: Random
) -> Iterator[list[Features]]:
    """Batches without end for an objective, corrupted anew each time."""
    corrupt = OBJECTIVES[objective]
    for places in similar_lengths([len(ids) for ids in texts], size, rng):
        yield [corrupt(texts[place], tokenizer, rng) for place in places]
