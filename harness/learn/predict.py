"""Predictions for test examples, in the form that the task's kind scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.contracts.method import Kind
from harness.data.kinds import IGNORED
from harness.data.kinds.sequence_classification import SequenceClassification
from harness.data.kinds.token_classification import TokenClassification
from harness.data.task import Example, Features, Task
from harness.learn.batches import Batch, by_length, collate
from harness.learn.generate import texts_of
from harness.learn.losses import one_a_token, summed
from harness.learn.replies import replies
from harness.learn.tagging import CHOICES, of_words

BATCH = 64


@torch.no_grad()
def predict(
    backbone: Backbone,
    task: Task,
    examples: list[Example],
    features: list[list[Features]],
    tokenizer: Any,
    target_length: int,
) -> list[Any]:
    """A prediction for each example; `features` are its encoded windows."""
    backbone.eval()
    return PREDICTORS[task.kind](backbone, task, examples, features, tokenizer, target_length)


def _tags(
    backbone: Backbone, task: Task, examples: list[Example], features: list[list[Features]], tokenizer: Any, _: int
) -> list[list[str]]:
    """A tag for every word; words past the longest input, and those of which the tokenizer leaves nothing, are O."""
    assert isinstance(task, TokenClassification)
    rows = [windows[0] for windows in features]
    choose = CHOICES[task.labelling.decoding]
    tags: list[list[str]] = [["O"] * len(example["tokens"]) for example in examples]
    for places in by_length(rows, BATCH):
        batch = collate([rows[place] for place in places], tokenizer.pad_token_id, backbone.device)
        del batch["labels"]
        logits = one_a_token(backbone(**batch).logits, batch["input_ids"]).float().cpu()
        for place, its in zip(places, logits, strict=True):
            pieces = _pieces(rows[place]["words"])
            for word, tag in zip(pieces, choose(of_words(its, list(pieces.values())), task.labels), strict=True):
                tags[place][word] = tag
    return tags


def _pieces(words: list[int]) -> dict[int, list[int]]:
    """The places of the pieces that each word is read off."""
    found: dict[int, list[int]] = {}
    for piece, word in enumerate(words):
        if word >= 0:
            found.setdefault(word, []).append(piece)
    return found


def _likelihoods(
    backbone: Backbone, task: Task, examples: list[Example], features: list[list[Features]], tokenizer: Any, _: int
) -> list[dict[str, float]]:
    """For each document its negative log-likelihood in nats and the number of tokens predicted."""

    def all_tokens(batch: Batch, rows: list[Features]) -> tuple[list[float], list[int]]:
        labels = batch.pop("labels")[:, 1:]
        logits = one_a_token(backbone(**batch).logits, batch["input_ids"])[:, :-1].float()
        losses = functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
        return losses.double().sum(1).tolist(), (labels != IGNORED).sum(1).tolist()

    return summed(backbone, features, tokenizer, all_tokens)


def _texts(
    backbone: Backbone,
    task: Task,
    examples: list[Example],
    features: list[list[Features]],
    tokenizer: Any,
    target_length: int,
) -> list[str]:
    """What the task's settings generate for the first window of each example; a decoder goes on from its prompt."""
    assert task.generation is not None
    rows = [windows[0] for windows in features]
    if backbone.kind == "causal-lm":
        rows = [prompt(row) for row in rows]
    return texts_of(backbone, rows, tokenizer, task.generation, target_length)


def prompt(row: Features) -> Features:
    """What a decoder reads before the first token that it learns to write."""
    begin = next((place for place, label in enumerate(row["labels"]) if label != IGNORED), len(row["labels"]))
    return {"input_ids": row["input_ids"][:begin]}


def _classes(
    backbone: Backbone, task: Task, examples: list[Example], features: list[list[Features]], tokenizer: Any, _: int
) -> list[str | float]:
    """For each text the class with the largest logit of its domain's, or the number that the domain's one row gives."""
    assert isinstance(task, SequenceClassification)
    rows = [windows[0] for windows in features]
    answers: list[str | float] = [0.0] * len(rows)
    for places in by_length(rows, BATCH):
        batch = collate([rows[place] for place in places], tokenizer.pad_token_id, backbone.device)
        batch.pop("labels", None)
        logits = backbone(**batch).logits
        if logits.shape != (len(places), len(task.labels)):
            given, wanted = list(logits.shape), [len(places), len(task.labels)]
            raise ValueError(f"the model gives logits for {given} (texts, labels), and was asked for {wanted}")
        for place, its in zip(places, logits.tolist(), strict=True):
            answers[place] = task.answer(its)
    return answers


PREDICTORS: dict[Kind, Callable[..., list[Any]]] = {
    "token-classification": _tags,
    "sequence-classification": _classes,
    "causal-lm": _likelihoods,
    "summarization": _texts,
    "data-to-text": _texts,
    "dialogue": replies,
}
