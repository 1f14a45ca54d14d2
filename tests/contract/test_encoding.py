"""What every discovered task's `encode` promises, by what kind it is."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from harness.contracts.config import Pretrained
from harness.contracts.discover import tasks
from harness.contracts.method import Kind
from harness.data.kinds import IGNORED
from harness.data.kinds.token_classification import TokenClassification
from harness.learn.predict import prompt
from harness.prepare.pretraining import train_tokenizer
from tests.contract.test_tasks import EMBEDDED, SMALL, read, task_of
from tests.models import tokenizer_for

TARGET = 8


def small(name: str) -> list[dict[str, Any]]:
    """Test examples of one domain of a task."""
    domain = next(iter(EMBEDDED[name].spec.sources["embedded"].domains))
    return read(name, domain, SMALL)["test"]


def encoded(
    name: str, tokenizer: Any, max_length: int, target_length: int = TARGET
) -> list[list[dict[str, list[int]]]]:
    found = task_of(name).encode(small(name), tokenizer, max_length, target_length)
    assert len(found) == len(small(name))
    return found


def of_kind(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for name, folder in EMBEDDED.items() if folder.spec.kind == kind])


@pytest.mark.parametrize("name", list(EMBEDDED))
def test_an_example_is_reckoned_as_the_sentences_that_it_is(name: str) -> None:
    """As many texts as windows, where nothing is cut, and about as long: labels and turns are marked by few tokens."""
    domain = next(iter(EMBEDDED[name].spec.sources["embedded"].domains))
    task, tokenizer = task_of(name).at(domain), tokenizer_for("gpt2")
    for windows, example in zip(task.encode(small(name), tokenizer, 2000, 500), small(name), strict=True):
        texts = task.texts(example)
        assert len(texts) == len(windows)
        if task.kind != "data-to-text":  # to a decoder alone a text is read behind the record
            for text, window in zip(texts, windows, strict=True):
                assert len(tokenizer(text)["input_ids"]) == pytest.approx(len(window["input_ids"]), rel=0.3, abs=6)


@of_kind("token-classification")
@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
@pytest.mark.parametrize("max_length", [12, 512])
def test_a_label_stands_at_the_first_token_of_its_word(name: str, architecture: str, max_length: int) -> None:
    task, tokenizer = task_of(name), tokenizer_for(architecture)
    assert isinstance(task, TokenClassification)
    for (features,), example in zip(encoded(name, tokenizer, max_length), small(name), strict=True):
        ids, labels, words = features["input_ids"], features["labels"], features["words"]
        assert len(ids) == len(labels) == len(words) <= max_length
        signs = 0 if architecture == "gpt2" else 1  # before the words, and as many after them
        start, end = signs, max_length - signs
        for word, (token, tag) in enumerate(zip(example["tokens"], example["tags"], strict=True)):
            pieces = tokenizer(token, add_special_tokens=False)["input_ids"]
            if start >= end:
                assert word not in words
                break
            assert words[start] == word
            assert task.labels[labels[start]] == tag
            rest = slice(start + 1, min(start + len(pieces), end))
            assert ids[start : rest.stop] == pieces[: rest.stop - start]
            assert set(labels[rest]) <= {IGNORED}
            assert set(words[rest]) <= {-1}
            start += len(pieces)
        else:
            assert sum(label != IGNORED for label in labels) == len(example["tokens"])


@of_kind("causal-lm")
@pytest.mark.parametrize("max_length", [8, 9, 33, 4096])
def test_windows_predict_every_token_once(name: str, max_length: int) -> None:
    tokenizer = tokenizer_for("gpt2")
    for windows, example in zip(encoded(name, tokenizer, max_length), small(name), strict=True):
        ids = tokenizer(example["text"], add_special_tokens=False)["input_ids"]
        wanted = [*ids, tokenizer.eos_token_id]
        assert [label for window in windows for label in window["labels"] if label != IGNORED] == wanted
        assert len(windows) == -(-len(wanted) // (max_length - 1))
        before = tokenizer.bos_token_id
        for window in windows:
            assert 2 <= len(window["input_ids"]) <= max_length
            assert window["input_ids"][0] == before
            assert window["labels"] == [IGNORED, *window["input_ids"][1:]]
            before = window["input_ids"][-1]


@of_kind("summarization")
@pytest.mark.parametrize(("max_length", "target_length"), [(16, 6), (1024, 512)])
def test_documents_and_summaries_are_whole_or_cut_to_length(name: str, max_length: int, target_length: int) -> None:
    tokenizer = tokenizer_for("bart")
    for (features,), example in zip(encoded(name, tokenizer, max_length, target_length), small(name), strict=True):
        for column, text, limit in (
            ("input_ids", example["document"], max_length),
            ("labels", example["summary"], target_length),
        ):
            ids = features[column]
            assert ids[0] == tokenizer.bos_token_id
            assert ids[-1] == tokenizer.eos_token_id
            whole = tokenizer(text)["input_ids"]
            assert len(ids) == min(limit, len(whole))
            assert ids[:-1] == whole[: len(ids) - 1]
            if len(whole) <= limit:
                assert tokenizer.decode(ids, skip_special_tokens=True).strip() == text


@of_kind("data-to-text")
@pytest.mark.parametrize(("max_length", "target_length"), [(16, 6), (1024, 512)])
def test_records_and_each_of_their_texts_are_a_pair(name: str, max_length: int, target_length: int) -> None:
    """An encoder-decoder reads the one and writes the other; a decoder reads both and learns the text and its end."""
    pairs = [(row["record"], text) for row in small(name) for text in row["references"]]
    for architecture, model in (("bart", "summarization"), ("gpt2", "causal-lm")):
        tokenizer, task = tokenizer_for(architecture), task_of(name).read_by(model)  # type: ignore[arg-type]
        found = task.encode(small(name), tokenizer, max_length, target_length)
        assert [len(windows) for windows in found] == [len(row["references"]) for row in small(name)]
        start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
        for features, pair in zip((row for windows in found for row in windows), pairs, strict=True):
            record, text = (tokenizer(its, add_special_tokens=False)["input_ids"] for its in pair)
            ids, labels = features["input_ids"], features["labels"]
            if model == "summarization":
                assert ids == [start, *record[: max_length - 2], end]
                assert labels == [start, *text[: target_length - 2], end]
                continue
            read, learned = [start, *record[: max_length - 2], start], [*text[: target_length - 1], end]
            assert ids == read + learned
            assert labels == [IGNORED] * len(read) + learned
            assert len(ids) <= task.longest(max_length, target_length)
            assert prompt(features) == {"input_ids": read}


def test_every_kind_has_a_task() -> None:
    assert {folder.spec.kind for folder in tasks().values()} == set(get_args(Kind))


@of_kind("sequence-classification")
@pytest.mark.parametrize("architecture", ["bert", "gpt2", "bart"])
@pytest.mark.parametrize("max_length", [14, 512])
def test_two_texts_are_read_as_the_tokenizer_joins_them(name: str, architecture: str, max_length: int) -> None:
    tokenizer, domains = tokenizer_for(architecture), list(EMBEDDED[name].spec.sources["embedded"].domains)
    for domain in domains:
        task: Any = task_of(name).at(domain, among=domains)
        examples = read(name, domain, SMALL)["test"]
        for example, (features,) in zip(examples, task.encode(examples, tokenizer, max_length, TARGET), strict=True):
            texts = [example[field] for field in ("text", "pair") if field in example]
            ids = features["input_ids"]
            assert ids == tokenizer(*texts, truncation="longest_first", max_length=max_length)["input_ids"]
            whole = [token for text in texts for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
            signs = tokenizer.num_special_tokens_to_add(pair=len(texts) == 2)
            assert (signs == 0) == (architecture == "gpt2")
            assert len(ids) == min(max_length, len(whole) + signs)
            first, rows, answer = features["labels"]
            if rows == 1:
                assert answer == example["label"]
            else:
                assert task.labels[first + answer].endswith(example["label"])
                assert rows == len(task.own.classes)


@of_kind("sequence-classification")
def test_what_is_predicted_is_not_what_is_read(name: str) -> None:
    domain = next(iter(EMBEDDED[name].spec.sources["embedded"].domains))
    task, tokenizer = task_of(name).at(domain), tokenizer_for("bert")
    for example in read(name, domain, SMALL)["test"]:
        hidden = {field: value for field, value in example.items() if field != "label"}
        ((seen,),), ((plain,),) = (task.encode([it], tokenizer, 64, TARGET) for it in (example, hidden))
        assert seen["input_ids"] == plain["input_ids"]
        assert "labels" not in plain


@pytest.mark.parametrize(
    ("architecture", "signs"),
    [("bert", ["<s>", "</s>", "</s>"]), ("bart", ["<s>", "</s>", "</s>", "</s>"]), ("gpt2", [])],
)
def test_embedded_tokenizers_join_two_texts_as_their_models_own(architecture: Any, signs: list[str]) -> None:
    spec = Pretrained(source="pretrain", architecture=architecture, corpora={}, vocabulary=300)
    tokenizer = train_tokenizer(["one text", "two texts"], spec)
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("one", "two")["input_ids"])
    assert [token for token in tokens if token in tokenizer.all_special_tokens] == signs
    assert tokens[-1:] == signs[-1:] or architecture == "gpt2"
