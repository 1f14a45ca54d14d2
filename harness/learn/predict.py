"""Predictions for test examples, in the form that the task's kind scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.contracts.method import Kind
from harness.data.kinds import IGNORED
from harness.data.kinds.sequence_classification import SequenceClassification
from harness.data.kinds.token_classification import TokenClassification
from harness.data.task import Example, Features, Task
from harness.learn.batches import Batch, by_length, collate
from harness.learn.generate import generated
from harness.learn.replies import replies

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
    tags: list[list[str]] = [["O"] * len(example["tokens"]) for example in examples]
    for places in by_length(rows, BATCH):
        batch = collate([rows[place] for place in places], tokenizer.pad_token_id, backbone.device)
        del batch["labels"]
        best = _one_a_token(backbone(**batch).logits, batch).argmax(-1).tolist()
        for place, labels in zip(places, best, strict=True):
            words = rows[place]["words"]
            for word, label in zip(words, labels[: len(words)], strict=True):  # padding comes behind
                if word >= 0:
                    tags[place][word] = task.labels[label]
    return tags


def _likelihoods(
    backbone: Backbone, task: Task, examples: list[Example], features: list[list[Features]], tokenizer: Any, _: int
) -> list[dict[str, float]]:
    """For each document its negative log-likelihood in nats and the number of tokens predicted."""
    owners = [place for place, windows in enumerate(features) for _ in windows]
    rows = [window for windows in features for window in windows]
    sums = [{"nll": 0.0, "tokens": 0} for _ in examples]
    for places in by_length(rows, BATCH // 2):
        batch = collate([rows[place] for place in places], tokenizer.pad_token_id, backbone.device)
        labels = batch.pop("labels")[:, 1:]
        logits = _one_a_token(backbone(**batch).logits, batch)[:, :-1].float()
        losses = functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
        counts = (labels != IGNORED).sum(1).tolist()
        for place, nll, tokens in zip(places, losses.double().sum(1).tolist(), counts, strict=True):
            sums[owners[place]]["nll"] += nll
            sums[owners[place]]["tokens"] += tokens
    return sums


def _one_a_token(logits: Tensor, batch: Batch) -> Tensor:
    """The logits, [batch, tokens, ...]; raises ValueError where they are not one row for each token of the batch."""
    if logits.shape[:2] != batch["input_ids"].shape:
        tokens, given = list(batch["input_ids"].shape), list(logits.shape[:2])
        raise ValueError(f"the model gives logits for {given} (rows, tokens), and was asked for {tokens}")
    return logits


def _summaries(
    backbone: Backbone,
    task: Task,
    examples: list[Example],
    features: list[list[Features]],
    tokenizer: Any,
    target_length: int,
) -> list[str]:
    """What the task's settings generate."""
    return _generated(backbone, task, features, tokenizer, target_length)


def _generated(
    backbone: Backbone, task: Task, features: list[list[Features]], tokenizer: Any, target_length: int
) -> list[str]:
    """The text that the task's settings generate for the first window of each example."""
    assert task.generation is not None
    before = backbone.kind == "causal-lm"
    rows = [windows[0] for windows in features]
    texts = [""] * len(rows)
    for places in by_length(rows, BATCH // 2):
        batch = collate([rows[place] for place in places], tokenizer.pad_token_id, backbone.device, before)
        batch.pop("labels", None)
        made = generated(backbone, batch, task.generation, target_length, tokenizer)
        for place, text in zip(places, tokenizer.batch_decode(made, skip_special_tokens=True), strict=True):
            texts[place] = text.strip()
    return texts


def _texts(
    backbone: Backbone,
    task: Task,
    examples: list[Example],
    features: list[list[Features]],
    tokenizer: Any,
    target_length: int,
) -> list[str]:
    """What is generated for each record: of a decoder's windows only what stands before the text is read."""
    if backbone.kind == "causal-lm":
        features = [[prompt(windows[0])] for windows in features]
    return _generated(backbone, task, features, tokenizer, target_length)


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
    "summarization": _summaries,
    "data-to-text": _texts,
    "dialogue": replies,
}
