"""Multi-domain language modelling: perplexity a token over the documents of a domain."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from harness.contracts.task import Sizes
from harness.data.embedded import generate
from harness.data.files import documents
from harness.data.grammar import Grammar, Part
from harness.data.kinds import CausalLM
from harness.data.task import SPLITS, Splits, numbered


class AdaptSumLM(CausalLM):
    """A domain is a kind of text; an example is one document."""

    def read_embedded(self, domain: str, sizes: Sizes) -> Splits:
        """Documents from the domain's scenarios."""
        file = self.folder / "embedded" / f"{domain}.yaml"
        return generate(file, "adaptsum_lm", domain, sizes, self._draw, lambda row: row["text"])

    def read_local(self, domain: str, folder: Path) -> Splits:
        """`<domain>/{train,dev,test}.txt`, one document a line; unlabeled text is the train split."""
        splits = {
            split: numbered(domain, split, ({"text": text} for text in documents(folder / domain / f"{split}.txt")))
            for split in SPLITS[:3]
        }
        return splits | {"unlabeled": splits["train"]}

    def _draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        sentences, _ = grammar.document(rng, part)
        return {"text": " ".join(sentences)}
