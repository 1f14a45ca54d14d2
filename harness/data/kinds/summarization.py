"""Summarization: a document and the text that stands for it."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar, Literal

from harness.base.errors import bad
from harness.contracts.method import Kind
from harness.contracts.reader import Tagging
from harness.data.generation import Generation
from harness.data.grammar import Grammar, Part
from harness.data.kinds import SAMPLE
from harness.data.rows import prose_of
from harness.data.task import Example, Features, Task
from harness.data.words import letters_lost

LOST = 0.5  # the share of the references' letters above which a tokenizer is of another script


class Summarization(Task):
    """Examples are {id, document, summary}; unlabeled ones {id, document}."""

    kind: ClassVar[Kind] = "summarization"
    generation: Generation | None = Generation()
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
