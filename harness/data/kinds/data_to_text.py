"""Data to text: a record and what is said of it, in one to several wordings."""

from __future__ import annotations

import copy
from random import Random
from typing import Any, ClassVar, Literal

from harness.base.errors import bad
from harness.contracts.method import Kind
from harness.contracts.reader import Tagging
from harness.data.generation import Generation
from harness.data.grammar import Grammar, Part
from harness.data.kinds import IGNORED, SAMPLE
from harness.data.recorded import published
from harness.data.records import linearised
from harness.data.rows import LINE_END, list_of, prose_of, text_of
from harness.data.task import Example, Features, Task
from harness.data.telling import prose, record

SCORES = ("bleu", "nist", "meteor", "meteor_stem", "rouge1", "rouge2", "rougeL", "cider")


class DataToText(Task):
    """Examples are {id, record, references}; unlabeled ones {id, text}, prose of the domain.

    A record is one line (see harness/data/records.py), and rows with the same record are one example, so that no record
    is in two splits by its wordings. A budget counts records. Each reference of a record is a training pair of its own,
    as in Li and Liang (2021) and Hu et al. (2022), whose sets count pairs.
    """

    kind: ClassVar[Kind] = "data-to-text"
    generation: Generation | None = Generation()
    fields: ClassVar[tuple[str, ...]] = ("record", "references")
    inputs: ClassVar[tuple[str, ...]] = ("text",)
    scores: ClassVar[dict[str, Literal["max", "min"]]] = dict.fromkeys(SCORES, "max")
    options: ClassVar[tuple[str, ...]] = ("rouge", "bleu")
    sample: ClassVar[Example] = {"record": "name : Anna | lives in : Rome | since : 2024", "references": [SAMPLE]}

    joined = False  # whether the model is a decoder, which reads the record and the text as one

    def read_by(self, model: Kind) -> Task:
        """The task with the record and its text as one sequence where the model is a decoder alone."""
        found = copy.copy(self)
        found.joined = model == "causal-lm"
        return found

    def longest(self, max_length: int, target_length: int) -> int:
        """A decoder reads the record and the text behind one another."""
        return max_length + target_length if self.joined else super().longest(max_length, target_length)

    def text(self, example: Example) -> str:
        return str(example["text"] if "text" in example else example["record"])

    def texts(self, example: Example) -> list[str]:
        """The record with each of its references."""
        return [f"{example['record']} {text}" for text in example.get("references", ())] or [self.text(example)]

    def draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        """A record with its references, or prose in unlabeled text."""
        if not grammar.records:
            raise bad(grammar.where, "records", None, "the grammar makes no records; write some")
        if part == "unlabeled":
            return {"text": prose(grammar, rng)}
        line, references = record(grammar, rng, part)
        return {"record": line, "references": references}

    def from_hub(self, row: dict[str, Any]) -> dict[str, Any]:
        """An example from a row of the hub, with its record in a form of ours."""
        return super().from_hub(row | {"record": published(row["record"])} if "record" in row else row)

    def from_row(self, row: dict[str, Any], tagging: Tagging) -> dict[str, Any]:
        """A record of any form with one reference or a list of them, or a text alone."""
        if "record" not in row:
            return {"text": prose_of("text", row.get("text"))}
        example: dict[str, Any] = {"record": linearised("record", row["record"])}
        if "references" not in row:
            return example
        given = row["references"]
        if isinstance(given, str):
            return example | {"references": [prose_of("references", given)]}
        texts = [text_of("references", its, place) for place, its in enumerate(list_of("references", given))]
        return example | {"references": [LINE_END.sub(" ", its) for its in texts]}

    def grouped(self, examples: list[Example]) -> list[Example]:
        """Rows with the same record as one, with all their different references in the order of the rows."""
        found: dict[str, Example] = {}
        for example in examples:
            if "references" not in example:
                return examples
            held = found.setdefault(example["record"], {**example, "references": []})["references"]
            held += [its for its in example["references"] if its not in held]
        return list(found.values())

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """A window for each reference of a record, the record cut to `max_length` and the text to `target_length`.

        To an encoder-decoder the record is the input and the text the labels. To a decoder the input is the start sign,
        the record, the start sign again, the text and its end; labels stand at the text and its end alone.
        """
        pair = self._one_sequence if self.joined else self._two_sequences
        return [
            [pair(example["record"], text, tokenizer, max_length, target_length) for text in example["references"]]
            for example in examples
        ]

    def _two_sequences(self, record: str, text: str, tokenizer: Any, longest: int, target: int) -> Features:
        read = tokenizer(record, truncation=True, max_length=longest)["input_ids"]
        return {
            "input_ids": read,
            "labels": tokenizer(text_target=text, truncation=True, max_length=target)["input_ids"],
        }

    def _one_sequence(self, record: str, text: str, tokenizer: Any, longest: int, target: int) -> Features:
        end = tokenizer.eos_token_id
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else end
        read, written = (tokenizer(its, add_special_tokens=False, verbose=False)["input_ids"] for its in (record, text))
        read = [start, *read[: longest - 2], start]
        written = [*written[: target - 1], end]
        return {"input_ids": read + written, "labels": [IGNORED] * len(read) + written}
