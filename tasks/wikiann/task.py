"""Cross-lingual named-entity recognition in the WikiAnn schema: PER, ORG, LOC in IOB2."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from harness.base.errors import UserError, bad
from harness.contracts.task import Sizes
from harness.data.embedded import generate
from harness.data.files import text_lines
from harness.data.grammar import Grammar, Part
from harness.data.kinds import TokenClassification
from harness.data.task import SPLITS, Splits, numbered


class WikiAnn(TokenClassification):
    """A domain is a language; an example is one sentence."""

    types = ("PER", "ORG", "LOC")

    def read_embedded(self, domain: str, sizes: Sizes) -> Splits:
        """Sentences from the language's frames; what an entity slot renders to is the entity."""
        file = self.folder / "embedded" / f"{domain}.yaml"
        return generate(file, "wikiann", domain, sizes, self._draw, lambda row: " ".join(row["tokens"]))

    def read_local(self, domain: str, folder: Path) -> Splits:
        """`<language>/{train,dev,test}` in the Rahimi layout; unlabeled text is the train split's tokens."""
        splits = {split: numbered(domain, split, self._read(folder / domain / split)) for split in SPLITS[:3]}
        return splits | {"unlabeled": splits["train"]}

    def _draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
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

    def _read(self, path: Path) -> list[dict[str, Any]]:
        """Sentences of `lang:token<TAB>TAG` lines, parted by blank lines."""
        rows, tokens, tags = [], [], []
        for number, line in enumerate([*text_lines(path), ""], 1):
            if line:
                token, tab, tag = line.partition("\t")
                if not tab or not token or ":" not in token:
                    raise UserError(f"{path}: line {number} is {line!r}; write lang:token, a tab and a tag")
                if tag not in self.labels:
                    raise bad(f"{path}: line {number}", "the tag", tag, f"use one of {', '.join(self.labels)}")
                tokens.append(token.partition(":")[2])
                tags.append(tag)
            elif tokens:
                rows.append({"tokens": tokens, "tags": tags})
                tokens, tags = [], []
        return rows
