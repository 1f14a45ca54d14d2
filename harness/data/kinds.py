"""The three kinds of task: what an example is and how a tokenizer reads it. No torch here."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal

from harness.base.errors import bad
from harness.contracts.method import Kind
from harness.contracts.reader import Tagging
from harness.contracts.task import TaskSpec
from harness.data.generation import Generation
from harness.data.grammar import Grammar, Part
from harness.data.rows import RowFault, list_of, prose_of, text_of
from harness.data.tags import iob2
from harness.data.task import Example, Features, Task
from harness.data.words import letters_lost

IGNORED = -100  # a label that the loss passes over
LOST = 0.5  # the share of the references' letters above which a tokenizer is of another script
SAMPLE = "Anna lives in Rome , where she moved in 2024 ."


class TokenClassification(Task):
    """Examples are {id, tokens, tags}, tags in IOB2; task.yaml names the entity types, or a subclass does."""

    kind: ClassVar[Kind] = "token-classification"
    fields: ClassVar[tuple[str, ...]] = ("tokens", "tags")
    inputs: ClassVar[tuple[str, ...]] = ("tokens",)
    lists: ClassVar[tuple[str, ...]] = ("tokens", "tags")
    scores: ClassVar[dict[str, Literal["max", "min"]]] = {"f1": "max", "precision": "max", "recall": "max"}
    sample: ClassVar[Example] = {"tokens": SAMPLE.split(), "tags": ["O"] * len(SAMPLE.split())}

    def __init__(self, spec: TaskSpec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.types = tuple(spec.types or type(self).types)

    @property
    def labels(self) -> list[str]:
        """O, then B- and I- of each type."""
        return ["O", *(f"{side}-{name}" for name in self.types for side in "BI")]

    def text(self, example: Example) -> str:
        return " ".join(example["tokens"])

    def check(self) -> None:
        """Raise UserError where no entity types are named, or task.yaml asks for what the kind cannot do."""
        if not self.types:
            raise bad(self.folder / "task.yaml", "types", None, "name the entity types, as [PER, ORG, LOC]")
        super().check()

    def draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        """A sentence; what a slot with the name of a type renders to is an entity."""
        tokens: list[str] = []
        tags: list[str] = []
        for segment in grammar.sentence(rng, part):
            words = segment.text.split()
            if segment.slot in self.types:
                tags += [f"B-{segment.slot}", *[f"I-{segment.slot}"] * (len(words) - 1)]
            else:
                tags += ["O"] * len(words)
            tokens += words
        return {"tokens": tokens, "tags": tags}

    def from_hub(self, row: dict[str, Any]) -> dict[str, Any]:
        """Tags are numbers in the order of `labels`."""
        return self.from_row(row, Tagging(names=self.labels))

    def from_row(self, row: dict[str, Any], tagging: Tagging) -> dict[str, Any]:
        """Tokens that each show something, with a tag each where there are tags."""
        tokens = [text_of("tokens", token, place) for place, token in enumerate(list_of("tokens", row["tokens"]))]
        if "tags" not in row:
            return {"tokens": tokens}
        tags = list_of("tags", row["tags"])
        if len(tags) != len(tokens):
            mend = f"it has {len(tags)} items and the tokens are {len(tokens)}; give each token one tag"
            raise RowFault("tags", tags, mend)
        return {"tokens": tokens, "tags": iob2(tags, tagging, self.types)}

    def check_scored(self, domain: str, examples: list[Example]) -> None:
        """Refuse test examples without any entity: every F1 would be 0."""
        if all(tag == "O" for example in examples for tag in example["tags"]):
            mend = f"domain {domain!r} has no entity of these types in its test split; name its types, or another file"
            raise bad(self.folder / "task.yaml", "types", list(self.types), mend)

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
    fields: ClassVar[tuple[str, ...]] = ("text",)
    inputs: ClassVar[tuple[str, ...]] = ("text",)
    scores: ClassVar[dict[str, Literal["max", "min"]]] = {"perplexity": "min"}
    sample: ClassVar[Example] = {"text": SAMPLE}

    def text(self, example: Example) -> str:
        return str(example["text"])

    def draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        """A document of one of the scenarios."""
        sentences, _ = grammar.document(rng, part)
        return {"text": " ".join(sentences)}

    def from_row(self, row: dict[str, Any], tagging: Tagging) -> dict[str, Any]:
        """A text is a string or a list of sentences."""
        return {"text": prose_of("text", row["text"])}

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
    generation: ClassVar[Generation] = Generation()
    fields: ClassVar[tuple[str, ...]] = ("document", "summary")
    inputs: ClassVar[tuple[str, ...]] = ("document",)
    scores: ClassVar[dict[str, Literal["max", "min"]]] = dict.fromkeys(("rouge1", "rouge2", "rougeL", "bleu"), "max")
    options: ClassVar[tuple[str, ...]] = ("rouge", "bleu")
    sample: ClassVar[Example] = {"document": SAMPLE, "summary": SAMPLE}

    def text(self, example: Example) -> str:
        return str(example["document"])

    def draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        """A document of one of the scenarios, with its summary."""
        sentences, summary = grammar.document(rng, part)
        if summary is None:
            raise bad(grammar.where, "scenarios", "a scenario", "it has no summary; give it one")
        return {"document": " ".join(sentences), "summary": summary}

    def from_row(self, row: dict[str, Any], tagging: Tagging) -> dict[str, Any]:
        """A document is a string or a list of sentences; of several summaries the first counts."""
        example = {"document": prose_of("document", row["document"])}
        if "summary" not in row:
            return example
        summary = row["summary"]
        several = isinstance(summary, (list, tuple)) and summary
        return example | {"summary": prose_of("summary", summary[0] if several else summary)}

    def check_scored(self, domain: str, examples: list[Example]) -> None:
        """Refuse references of which ROUGE would not see most: it would be 0, or 100 for any two."""
        tokenizer = self.spec.metrics.rouge.tokenizer
        lost = letters_lost((example["summary"] for example in examples), tokenizer)
        if lost > LOST:
            mend = (
                f"it drops {100 * lost:.0f}% of the letters in the test summaries of domain {domain!r}; write "
                "`metrics: {rouge: {tokenizer: unicode}}`"
            )
            raise bad(self.folder / "task.yaml", "metrics.rouge.tokenizer", tokenizer, mend)

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """The document as input and the summary as labels, each cut to its length."""
        documents = tokenizer([e["document"] for e in examples], truncation=True, max_length=max_length)
        summaries = tokenizer(text_target=[e["summary"] for e in examples], truncation=True, max_length=target_length)
        pairs = zip(documents["input_ids"], summaries["input_ids"], strict=True)
        return [[{"input_ids": document, "labels": summary}] for document, summary in pairs]


KINDS: dict[Kind, type[Task]] = {
    "token-classification": TokenClassification,
    "causal-lm": CausalLM,
    "summarization": Summarization,
}
