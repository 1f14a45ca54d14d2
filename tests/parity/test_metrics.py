"""Our metrics against the libraries that define them, and perplexity against a loop over tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sacrebleu
import torch
from rouge_score.rouge_scorer import RougeScorer
from seqeval.metrics import f1_score, precision_score, recall_score

from harness.backbone.load import Checkpoint
from harness.contracts.discover import tasks
from harness.data.task import load_task
from harness.learn.predict import predict
from harness.score.score import score_rows
from tests.models import sentences

TAGS = ["O", "O", "O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]


def tag_rows(seed: int, tags: list[str] = TAGS) -> list[dict[str, Any]]:
    """Gold and predictions that agree on two tags in three; an I- may follow anything."""
    rng, rows = Random(seed), []
    for _ in range(30):
        gold = rng.choices(TAGS, k=rng.randint(1, 12))
        rows.append({"tags": gold, "predicted": [tag if rng.random() < 0.67 else rng.choice(tags) for tag in gold]})
    return rows


@pytest.mark.parametrize("seed", range(8))
def test_entity_f1_is_seqevals(seed: int) -> None:
    rows = tag_rows(seed)
    gold, guess = ([row[name] for row in rows] for name in ("tags", "predicted"))
    found = score_rows("token-classification", rows)
    assert found["n"] == len(rows)
    for name, function in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert found["scores"][name] == pytest.approx(100 * function(gold, guess), abs=1e-9)
    by_type = dict(zip(("LOC", "ORG", "PER"), f1_score(gold, guess, average=None), strict=True))
    for name, value in by_type.items():
        assert found["scores"][f"f1_{name}"] == pytest.approx(100 * value, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_summed_statistics_give_the_f1(seed: int) -> None:
    rows = tag_rows(seed)
    found = score_rows("token-classification", rows)
    true, extra, missed = (sum(column) for column in zip(*found["statistics"]["f1"], strict=True))
    assert (extra, missed) != (0, 0)
    assert found["scores"]["f1"] == pytest.approx(100 * 2 * true / (2 * true + extra + missed), abs=1e-9)
    # And so for any resample of the sentences, which is what intervals are made of.
    some = rows[::2]
    part = [sum(column) for column in zip(*found["statistics"]["f1"][::2], strict=True)]
    score = score_rows("token-classification", some)["scores"]["f1"]
    assert score == pytest.approx(200 * part[0] / (2 * part[0] + part[1] + part[2]), abs=1e-9)


@pytest.mark.parametrize(
    ("gold", "guess", "f1"),
    [
        (["O", "O"], ["O", "O"], 0.0),
        (["B-PER", "O"], ["O", "O"], 0.0),
        (["O", "O"], ["B-PER", "O"], 0.0),
        (["B-PER", "I-PER"], ["B-PER", "I-PER"], 100.0),
        (["B-PER", "I-PER"], ["B-PER", "O"], 0.0),
        (["B-PER", "I-PER"], ["B-ORG", "I-ORG"], 0.0),
    ],
)
def test_entity_f1_of_single_sentences(gold: list[str], guess: list[str], f1: float) -> None:
    assert score_rows("token-classification", [{"tags": gold, "predicted": guess}])["scores"]["f1"] == f1


def summary_rows(seed: int) -> list[dict[str, Any]]:
    """Sentences, and what is left of them after words were dropped, swapped and changed in form."""
    rng, rows = Random(seed), []
    for text in sentences():
        words = [word + rng.choice(["", "", "s", "ing"]) for word in text.split() if rng.random() < 0.8]
        words = [*rng.sample(words[:6], len(words[:6])), *words[6:]]
        rows.append({"summary": text, "predicted": " ".join(words)})
    return [*rows, {"summary": "a word", "predicted": ""}]


@pytest.mark.parametrize("seed", range(3))
def test_rouge_is_rouge_scores(seed: int) -> None:
    rows = summary_rows(seed)
    found = score_rows("summarization", rows)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    for name in ("rouge1", "rouge2", "rougeL"):
        values = [100 * scorer.score(row["summary"], row["predicted"])[name].fmeasure for row in rows]
        assert found["scores"][name] == pytest.approx(sum(values) / len(values), abs=1e-9)
        assert [value for value, _ in found["statistics"][name]] == pytest.approx(values, abs=1e-9)
        assert {weight for _, weight in found["statistics"][name]} == {1.0}
    assert 1 < found["scores"]["rouge2"] < found["scores"]["rougeL"] < found["scores"]["rouge1"] < 99


@pytest.mark.parametrize("seed", range(3))
def test_bleu_is_sacrebleus(seed: int) -> None:
    rows = summary_rows(seed)
    guess, gold = ([row[name] for row in rows] for name in ("predicted", "summary"))
    found = score_rows("summarization", rows)["scores"]["bleu"]
    assert found == pytest.approx(sacrebleu.corpus_bleu(guess, [gold]).score, abs=1e-9)
    assert abs(found - sacrebleu.corpus_bleu(gold, [guess]).score) > 0.01  # which side is which matters


@pytest.mark.parametrize("max_length", [9, 32, 64])
def test_perplexity_is_a_loop_over_tokens(max_length: int, checkpoint: Callable[..., Checkpoint]) -> None:
    read = checkpoint("gpt2", "causal-lm")
    backbone, tokenizer = read.backbone(0), read.tokenizer
    folder = next(folder for folder in tasks().values() if folder.spec.kind == "causal-lm")
    task = load_task(folder)
    texts = [" ".join(sentences()[:12])[:800], "A short one.", sentences()[0][:200]]
    examples = [{"id": str(place), "text": text} for place, text in enumerate(texts)]
    encoded = task.encode(examples, tokenizer, max_length, 0)
    assert len(encoded[0]) > 2, "the first document is cut into several windows"
    predicted = predict(backbone, task, examples, encoded, tokenizer, 0)
    for row, text in zip(predicted, texts, strict=True):
        nll, tokens = plain_likelihood(backbone.model, tokenizer, text, max_length)
        assert row["tokens"] == tokens
        assert row["nll"] == pytest.approx(nll, rel=1e-5)
    rows = [{**example, "predicted": row} for example, row in zip(examples, predicted, strict=True)]
    found = score_rows("causal-lm", rows)
    total, count = (sum(row[name] for row in predicted) for name in ("nll", "tokens"))
    assert found["scores"]["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-9)
    assert found["statistics"]["perplexity"] == [[row["nll"], row["tokens"]] for row in predicted]


@torch.no_grad()
def plain_likelihood(model: Any, tokenizer: Any, text: str, max_length: int) -> tuple[float, int]:
    """Each token's likelihood by itself: it sees its window so far, the last token before it included."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    whole = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    total = 0.0
    for place in range(1, len(whole)):
        begin = (place - 1) // (max_length - 1) * (max_length - 1)
        logits = model(input_ids=torch.tensor([whole[begin:place]])).logits[0, -1].double()
        total -= float(torch.log_softmax(logits, -1)[whole[place]])
    return total, len(whole) - 1


def test_scores_need_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: Any) -> None:
        raise AssertionError("a metric reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert score_rows("summarization", [{"summary": "one two", "predicted": "one two"}])["scores"]["rouge1"] == 100.0
