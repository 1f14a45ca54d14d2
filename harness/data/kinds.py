"""The three kinds of task: what an example is and how a tokenizer reads it. No torch here."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.contracts.method import Kind
from harness.data.task import Example, Features, Task

IGNORED = -100  # a label that the loss passes over
SAMPLE = "Anna lives in Rome , where she moved in 2024 ."


class TokenClassification(Task):
    """Examples are {id, tokens, tags}, tags in IOB2. Subclasses name the entity types."""

    kind: ClassVar[Kind] = "token-classification"
    types: ClassVar[tuple[str, ...]]
    sample: ClassVar[Example] = {"tokens": SAMPLE.split(), "tags": ["O"] * len(SAMPLE.split())}

    @property
    def labels(self) -> list[str]:
        """O, then B- and I- of each type."""
        return ["O", *(f"{side}-{name}" for name in self.types for side in "BI")]

    def text(self, example: Example) -> str:
        return " ".join(example["tokens"])

    def from_hub(self, row: dict[str, Any]) -> dict[str, Any]:
        """Tags are numbers in the order of `labels`."""
        return {"tokens": list(row["tokens"]), "tags": [self.labels[tag] for tag in row["tags"]]}

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """A word's label stands at its first token; `words` says which word each label is of."""
        places = {label: place for place, label in enumerate(self.labels)}
        coded = tokenizer(
            [example["tokens"] for example in examples],
            is_split_into_words=True,
            truncation=True,
            max_length=max_length,
        )
        features = []
        for row, example in enumerate(examples):
            labels, words, seen = [], [], None
            for word in coded.word_ids(row):
                first = word is not None and word != seen
                labels.append(places[example["tags"][word]] if first else IGNORED)
                words.append(word if first else -1)
                seen = word
            ids = coded["input_ids"][row]
            features.append([{"input_ids": ids, "labels": labels, "words": words}])
        return features


class CausalLM(Task):
    """Examples are {id, text}."""

    kind: ClassVar[Kind] = "causal-lm"
    sample: ClassVar[Example] = {"text": SAMPLE}

    def text(self, example: Example) -> str:
        return str(example["text"])

    def from_hub(self, row: dict[str, Any]) -> dict[str, Any]:
        """A text is a string or a list of sentences."""
        return {"text": joined(row["text"])}

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """Windows of `max_length` tokens without overlap; every token but the start sign is predicted once.

        A document is the start sign, its tokens and the end sign. A later window begins with the last
        token of the one before it, as context that is not scored again.
        """
        start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
        start = end if start is None else start
        coded = tokenizer([example["text"] for example in examples], add_special_tokens=False, verbose=False)
        features = []
        for ids in coded["input_ids"]:
            whole = [start, *ids, end]
            windows = []
            for begin in range(0, len(whole) - 1, max_length - 1):
                window = whole[begin : begin + max_length]
                windows.append({"input_ids": window, "labels": [IGNORED, *window[1:]]})
            features.append(windows)
        return features


class Summarization(Task):
    """Examples are {id, document, summary}; unlabeled ones {id, document}."""

    kind: ClassVar[Kind] = "summarization"
    sample: ClassVar[Example] = {"document": SAMPLE, "summary": SAMPLE}

    def text(self, example: Example) -> str:
        return str(example["document"])

    def from_hub(self, row: dict[str, Any]) -> dict[str, Any]:
        """A document is a string or a list of sentences; of several summaries the first counts."""
        summary = row["summary"] if isinstance(row["summary"], str) else row["summary"][0]
        return {"document": joined(row["document"]), "summary": joined(summary)}

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """The document as input and the summary as labels, each cut to its length."""
        documents = tokenizer([e["document"] for e in examples], truncation=True, max_length=max_length)
        summaries = tokenizer(text_target=[e["summary"] for e in examples], truncation=True, max_length=target_length)
        pairs = zip(documents["input_ids"], summaries["input_ids"], strict=True)
        return [[{"input_ids": document, "labels": summary}] for document, summary in pairs]


def joined(text: str | list[str]) -> str:
    """One line of text: examples never hold line ends."""
    return " ".join((text if isinstance(text, str) else " ".join(text)).split())
