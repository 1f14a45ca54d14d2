"""Low-resource abstractive summarization: beam search 4, ROUGE-1/2/L F1 with stemming."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from harness.contracts.task import Sizes
from harness.data.embedded import generate
from harness.data.files import documents, paired
from harness.data.grammar import Grammar, Part
from harness.data.kinds import Summarization
from harness.data.task import Splits, numbered


class AdaptSum(Summarization):
    """A domain is a kind of text; an example is a document with its summary."""

    def read_embedded(self, domain: str, sizes: Sizes) -> Splits:
        """Documents and summaries from the domain's scenarios."""
        file = self.folder / "embedded" / f"{domain}.yaml"
        return generate(file, "adaptsum", domain, sizes, self._draw, lambda row: row["document"])

    def read_local(self, domain: str, folder: Path) -> Splits:
        """AdaptSum's layout: `{train,val,test}.{source,target}` and the domain's `corpus.txt`."""
        splits: Splits = {}
        for split, name in (("train", "train"), ("dev", "val"), ("test", "test")):
            pairs = paired(folder / domain / f"{name}.source", folder / domain / f"{name}.target")
            splits[split] = numbered(domain, split, ({"document": d, "summary": s} for d, s in pairs))
        corpus = documents(folder / domain / "corpus.txt")
        return splits | {"unlabeled": numbered(domain, "unlabeled", ({"document": text} for text in corpus))}

    def _draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        sentences, summary = grammar.document(rng, part)
        return {"document": " ".join(sentences), "summary": summary}
