"""Language modelling: a document is predicted token by token."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar, Literal

from harness.contracts.method import Kind
from harness.contracts.reader import Tagging
from harness.data.grammar import Grammar, Part
from harness.data.kinds import IGNORED, SAMPLE
from harness.data.rows import prose_of
from harness.data.task import Example, Features, Task


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
