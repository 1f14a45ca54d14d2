"""How words get their tags: constrained decoding against a look at every sequence of tags, and all pieces of a word."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from seqeval.metrics.sequence_labeling import get_entities

from harness.backbone.load import Checkpoint
from harness.base.errors import UserError
from harness.data.kinds import IGNORED
from harness.data.labelling import Labelling
from harness.learn.predict import predict
from harness.learn.tagging import constrained, independent
from tests.unit.local_tasks import LM, NER, local_task

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
CONLL, LINES = {"format": "conll"}, {"format": "jsonl", "columns": {"text": "text"}}


def valid(tags: tuple[str, ...]) -> bool:
    """Whether IOB2 allows the tags: each I- goes on with an entity of its type."""
    return all(
        tag[0] != "I" or before in (f"B-{tag[2:]}", f"I-{tag[2:]}") for before, tag in itertools.pairwise(("O", *tags))
    )


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_likeliest_of_all_valid_sequences(seed: int) -> None:
    words = 1 + seed % 5
    logits = 2 * torch.randn(words, len(LABELS), generator=torch.Generator().manual_seed(seed))
    scores = logits.double().log_softmax(-1)

    def likely(tags: tuple[str, ...]) -> float:
        return float(sum(scores[word, LABELS.index(tag)] for word, tag in enumerate(tags)))

    best = max(filter(valid, itertools.product(LABELS, repeat=words)), key=likely)
    assert constrained(logits, LABELS) == list(best)
    alone = independent(logits, LABELS)
    assert alone == [LABELS[place] for place in logits.argmax(-1)]
    assert (constrained(logits, LABELS) == alone) == valid(tuple(alone))


def test_nothing_has_no_tags() -> None:
    assert constrained(torch.zeros(0, len(LABELS)), LABELS) == independent(torch.zeros(0, len(LABELS)), LABELS) == []


def test_a_model_gives_whole_entities(checkpoint: Callable[..., Checkpoint], tmp_path: Path) -> None:
    task, free = (local_task(tmp_path, NER, CONLL, labelling=its) for its in ({"decoding": "constrained"}, {}))
    read = checkpoint("bert", NER, labels=tuple(task.labels))
    backbone = read.backbone(0)
    with torch.no_grad():  # a head that says I-PER wherever it can
        head = backbone.model.classifier
        head.bias[task.labels.index("I-PER")] += 10
    words = ["Anna", "lives", "in", "Rome", "."]
    examples = [{"id": "0", "tokens": words, "tags": ["O"] * 5}, {"id": "1", "tokens": words[:2], "tags": ["O"] * 2}]
    encoded = task.encode(examples, read.tokenizer, 16, 0)
    found, loose = (predict(backbone, its, examples, encoded, read.tokenizer, 0) for its in (task, free))
    assert any(not valid(tuple(tags)) for tags in loose)
    assert all(valid(tuple(tags)) for tags in found)
    assert get_entities(found[0]) == [("PER", 0, 4)]  # one entity, which begins where the first I- stood


def test_every_piece_of_a_word_is_learned_from_and_read(checkpoint: Callable[..., Checkpoint], tmp_path: Path) -> None:
    one, every = (local_task(tmp_path, NER, CONLL, labelling=its) for its in ({}, {"pieces": "all"}))
    read = checkpoint("bert", NER, labels=tuple(one.labels))
    words = ["Schwarzenbergplatz", "x", "Quito"]
    examples = [{"id": "0", "tokens": words, "tags": ["B-LOC", "I-LOC", "O"]}]
    (first,), (row,) = (task.encode(examples, read.tokenizer, 64, 0)[0] for task in (one, every))
    of = [word for word in row["words"] if word >= 0]
    pieces = {word: [place for place, its in enumerate(row["words"]) if its == word] for word in range(3)}
    assert of == sorted(of)
    assert len(pieces[0]) > 1, "the first word is of several pieces"
    assert all(row["labels"][place] == label for place, label in enumerate(first["labels"]) if label != IGNORED)
    labels = {word: [every.labels[row["labels"][place]] for place in places] for word, places in pieces.items()}
    assert labels[0] == ["B-LOC", *["I-LOC"] * (len(pieces[0]) - 1)]
    assert set(labels[1]) == {"I-LOC"}
    assert set(labels[2]) == {"O"}
    assert sum(label != IGNORED for label in row["labels"]) == len(of)
    backbone = read.backbone(0)
    (tags,) = predict(backbone, every, examples, [[row]], read.tokenizer, 0)
    with torch.no_grad():
        logits = backbone(
            input_ids=torch.tensor([row["input_ids"]]), attention_mask=torch.ones(1, len(of) + 2, dtype=torch.long)
        ).logits[0]
    assert tags == [every.labels[int(sum(logits[place] for place in pieces[word]).argmax())] for word in range(3)]


def test_a_task_without_tags_refuses_it(tmp_path: Path) -> None:
    assert local_task(tmp_path, NER, CONLL).labelling == Labelling("independent", "first")
    assert local_task(tmp_path, LM, LINES).labelling is None
    with pytest.raises(UserError, match="`labelling` is for token-classification; remove it"):
        local_task(tmp_path, LM, LINES, labelling={"decoding": "constrained"})
