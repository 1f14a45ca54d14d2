"""Dialogues as models read them: what is cut, what is learned, what is scored, and what is generated."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from harness.backbone.load import Checkpoint
from harness.base.errors import UserError
from harness.contracts.discover import methods
from harness.contracts.task import TaskSpec
from harness.data.generation import Generation
from harness.data.kinds import IGNORED
from harness.data.kinds.dialogue import Dialogue
from harness.data.task import Task
from harness.learn.batches import collate
from harness.learn.predict import predict
from harness.parts.build import adaptations_of
from harness.score.score import score_rows
from tests.contract.cells import Read, task_of
from tests.models import POSITIONS, tokenizer_for

MODELS: dict[str, Any] = {"gpt2": "causal-lm", "bart": "summarization"}
LONG, TARGET = 512, 60
each_model = pytest.mark.parametrize("architecture", MODELS)


def speaker(persona: str = "read", **changes: Any) -> Dialogue:
    """The task of the repository, with another word on what is read."""
    its = task_of("dialogue")[0]
    spec: TaskSpec = its.spec.model_copy(update={"persona": persona} | changes)
    return Dialogue(spec, its.folder)


def dialogues() -> list[dict[str, Any]]:
    return task_of("dialogue")[2]["test"]


def windows(task: Task, architecture: str, longest: int = LONG) -> list[list[dict[str, Any]]]:
    read = task.read_by(MODELS[architecture])
    return read.encode(dialogues(), tokenizer_for(architecture), longest, TARGET)


def scored(row: dict[str, Any]) -> list[int]:
    return [label for label, counts in zip(row["labels"], row["scored"], strict=True) if counts]


@each_model
def test_each_reply_is_predicted_from_all_before_it(architecture: str) -> None:
    tokenizer = tokenizer_for(architecture)
    for rows, example in zip(windows(speaker(), architecture), dialogues(), strict=True):
        assert len(rows) == len(example["turns"])
        for number, (row, (_, reply)) in enumerate(zip(rows, example["turns"], strict=True)):
            ids = tokenizer(reply, add_special_tokens=False)["input_ids"]
            assert scored(row) == [*ids, tokenizer.eos_token_id]
            end = len(row["input_ids"]) - (len(ids) + 1 if architecture == "gpt2" else 0)
            read = tokenizer.decode(row["input_ids"][:end], skip_special_tokens=True).strip()
            before = [
                f"{who} {text}"
                for pair in example["turns"][:number]
                for who, text in zip(("them:", "me:"), pair, strict=True)
            ]
            wanted = ["about me:", *example["persona"], *before, f"them: {example['turns'][number][0]}"]
            assert read == " ".join([*wanted, *(["me:"] if architecture == "gpt2" else [])])
            assert reply not in read.removeprefix(" ".join(wanted[:-1]))


@each_model
def test_the_oldest_words_are_cut_and_neither_persona_nor_reply(architecture: str) -> None:
    tokenizer = tokenizer_for(architecture)
    about = max(len(tokenizer(" ".join(["about me:", *its["persona"]]))["input_ids"]) for its in dialogues())
    longest = about + 50
    cut = 0
    for rows, whole in zip(windows(speaker(), architecture, longest), windows(speaker(), architecture), strict=True):
        for row, all_of_it in zip(rows, whole, strict=True):
            assert len(row["input_ids"]) <= longest
            assert scored(row) == scored(all_of_it)
            if len(all_of_it["input_ids"]) <= longest:
                assert row == all_of_it
                continue
            cut += 1
            assert len(row["input_ids"]) == longest
            kept = tokenizer.decode(row["input_ids"], skip_special_tokens=True)
            full = tokenizer.decode(all_of_it["input_ids"], skip_special_tokens=True)
            persona = full[: full.index("them:")].rstrip()
            assert kept.startswith(persona)
            assert full.endswith(kept.removeprefix(persona))
    assert cut > 3


@each_model
def test_a_hidden_persona_is_not_read(architecture: str) -> None:
    hidden = windows(speaker("hidden"), architecture)
    without = [{key: value for key, value in its.items() if key != "persona"} for its in dialogues()]
    read = speaker().read_by(MODELS[architecture])
    assert hidden == read.encode(without, tokenizer_for(architecture), LONG, TARGET)
    assert hidden != windows(speaker(), architecture)


@each_model
def test_what_is_never_cut_must_fit(architecture: str) -> None:
    read, tokenizer = speaker().read_by(MODELS[architecture]), tokenizer_for(architecture)
    with pytest.raises(UserError, match=r"max_length is 20; the reply '.*' needs \d+ tokens and is never"):
        read.encode(dialogues(), tokenizer, 20, TARGET)
    with pytest.raises(UserError, match=r"target_length is 4; the reply '.*' needs \d+ tokens and is never"):
        read.encode(dialogues(), tokenizer, LONG, 4)


@each_model
def test_a_perplexity_is_of_the_replies_and_their_ends(architecture: str, checkpoint: Read) -> None:
    """Against a plain loop: one reply at a time, one token at a time."""
    read: Checkpoint = checkpoint(architecture, "dialogue")
    backbone, tokenizer = read.backbone(0), read.tokenizer
    task = speaker("hidden").read_by(read.kind)
    examples = dialogues()[:2]
    encoded = task.encode(examples, tokenizer, 60, 40)
    found = predict(backbone, task, examples, encoded, tokenizer, 40)
    wanted = []
    for rows in encoded:
        nll, tokens = 0.0, 0
        for row in rows:
            with torch.no_grad():
                if architecture == "gpt2":
                    logits = backbone.model(input_ids=torch.tensor([row["input_ids"]])).logits[0, :-1]
                    labels = torch.tensor(row["labels"][1:])
                else:
                    labels = torch.tensor(row["labels"])
                    start = backbone.model.prepare_decoder_input_ids_from_labels(labels[None])
                    inputs = torch.tensor([row["input_ids"]])
                    logits = backbone.model(input_ids=inputs, decoder_input_ids=start).logits[0]
            for place, label in enumerate(labels.tolist()):
                if label != IGNORED and label != tokenizer.bos_token_id:
                    nll += float(functional.cross_entropy(logits[place], labels[place]))
                    tokens += 1
        wanted.append({"nll": nll, "tokens": tokens})
    for mine, its in zip(found, wanted, strict=True):
        assert mine["tokens"] == its["tokens"]
        assert mine["nll"] == pytest.approx(its["nll"], rel=1e-5)
    rows = [{**example, "predicted": its} for example, its in zip(examples, found, strict=True)]
    mean = sum(its["nll"] for its in wanted) / sum(its["tokens"] for its in wanted)
    assert score_rows("dialogue", rows)["scores"] == {"perplexity": pytest.approx(math.exp(mean), rel=1e-5)}


@each_model
def test_training_learns_the_replies_alone(architecture: str, checkpoint: Read) -> None:
    read: Checkpoint = checkpoint(architecture, "dialogue")
    backbone, tokenizer = read.backbone(0), read.tokenizer
    rows = [
        row for rows in speaker("hidden").read_by(read.kind).encode(dialogues()[:1], tokenizer, 60, 40) for row in rows
    ]
    labelled = [[label for label in row["labels"] if label != IGNORED] for row in rows]
    if architecture == "gpt2":
        assert labelled == [scored(row) for row in rows]
    losses = []
    for row, labels in zip(rows, labelled, strict=True):
        loss = backbone(**collate([row], tokenizer.pad_token_id)).loss
        losses.append((float(loss), len(labels)))
    together = float(backbone(**collate(rows, tokenizer.pad_token_id)).loss)
    mean = sum(loss * count for loss, count in losses) / sum(count for _, count in losses)
    assert together == pytest.approx(mean, rel=1e-4)


@each_model
def test_replies_are_generated_where_they_are_asked_for(architecture: str, checkpoint: Read) -> None:
    """A batch pads its rows; each reply is what the model alone gives for its own history."""
    read: Checkpoint = checkpoint(architecture, "dialogue")
    backbone, tokenizer = read.backbone(0), read.tokenizer
    asked = speaker("hidden", generates=True)
    asked.generation = Generation(num_beams=2)
    task, examples = asked.read_by(read.kind), dialogues()[:2]
    encoded = task.encode(examples, tokenizer, POSITIONS, 40)
    if architecture == "gpt2":  # what it goes on from, and the longest reply behind it, are one text
        assert max(len(row["asked"]) for rows in encoded for row in rows) == POSITIONS - 40
    found = predict(backbone, task, examples, encoded, tokenizer, 40)
    assert [len(its["replies"]) for its in found] == [len(its["turns"]) for its in examples]
    alone = [
        predict(backbone, task, [its], [[row]], tokenizer, 40)[0]["replies"][0]
        for its, rows in zip(examples, encoded, strict=True)
        for row in rows
    ]
    assert [reply for its in found for reply in its["replies"]] == alone
    scores = score_rows("dialogue", [{**it, "predicted": its} for it, its in zip(examples, found, strict=True)])[
        "scores"
    ]
    assert set(scores) == {"perplexity", "bleu", "distinct1", "distinct2", "copied"}
    assert "replies" not in predict(backbone, speaker("hidden").read_by(read.kind), examples, encoded, tokenizer, 40)[0]


@pytest.mark.parametrize("name", ["common_reply", "echo"])
def test_controls_answer_each_turn_without_its_reply(name: str) -> None:
    control: Any = adaptations_of(methods()[name])[0]
    train = [{"turns": [["Hi.", "Yes."], ["So?", "No."]]}, {"turns": [["Ha.", "No."]]}]
    hidden = [{"turns": [[partner, "?"] for partner, _ in its["turns"]]} for its in dialogues()]
    found = control.predict(train, dialogues())
    assert found == control.predict(train, hidden)
    wanted = {"common_reply": lambda _: "No.", "echo": lambda partner: partner}[name]
    assert [its["replies"] for its in found] == [
        [wanted(partner) for partner, _ in its["turns"]] for its in dialogues()
    ]
    scores = score_rows("dialogue", [{**it, "predicted": its} for it, its in zip(dialogues(), found, strict=True)])
    assert scores["scores"]["perplexity"] is None
    assert "gives no likelihood" in scores["undefined"]["perplexity"]
    assert scores["scores"]["copied"] == (100 if name == "echo" else pytest.approx(scores["scores"]["copied"]))
