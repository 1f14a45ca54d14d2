"""Token classification: each token of a text has a tag."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal

from harness.base.errors import bad
from harness.contracts.method import Kind
from harness.contracts.reader import Tagging
from harness.contracts.task import TaskSpec
from harness.data.grammar import Grammar, Part
from harness.data.kinds import IGNORED, SAMPLE
from harness.data.labelling import Labelling
from harness.data.rows import RowFault, list_of, text_of
from harness.data.tags import iob2
from harness.data.task import Example, Features, Task


class TokenClassification(Task):
    """Examples are {id, tokens, tags}, tags in IOB2; task.yaml names the entity types, or a subclass does."""

    kind: ClassVar[Kind] = "token-classification"
    labelling: Labelling = Labelling()
    fields: ClassVar[tuple[str, ...]] = ("tokens", "tags")
    inputs: ClassVar[tuple[str, ...]] = ("tokens",)
    lists: ClassVar[tuple[str, ...]] = ("tokens", "tags")
    scores: ClassVar[dict[str, Literal["max", "min"]]] = {"f1": "max", "precision": "max", "recall": "max"}
    sample: ClassVar[Example] = {"tokens": SAMPLE.split(), "tags": ["O"] * len(SAMPLE.split())}

    def __init__(self, spec: TaskSpec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.types = tuple(spec.types or type(self).types)

    @property
    def measured(self) -> list[str]:
        """Those that can rank, and the F1 of each type."""
        return [*self.scores, *(f"f1_{name}" for name in self.types)]

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
        """A word's label stands at its first piece, and where all pieces are labelled the others go on with its type.

        `words` says which word is read off each piece.
        """
        places = {label: place for place, label in enumerate(self.labels)}
        every = self.labelling.pieces == "all"
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
                read = first or (word is not None and every)
                tag = example["tags"][word] if read else "O"
                labels.append(places[tag if first or tag == "O" else f"I{tag[1:]}"] if read else IGNORED)
                words.append(word if read else -1)
                seen = word
            ids = coded["input_ids"][row]
            features.append([{"input_ids": ids, "labels": labels, "words": words}])
        return features
