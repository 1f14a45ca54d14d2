"""NAME: say here what a domain and an example are."""

from pathlib import Path

from harness.contracts.task import Sizes
from harness.data.embedded import generate
from harness.data.files import documents
from harness.data.kinds import CausalLM
from harness.data.task import SPLITS, Splits, numbered


class NewTask(CausalLM):
    """The kind (CausalLM, TokenClassification, Summarization) says how examples are encoded and scored.

    The harness calls one `read_*` once for each domain, in the rule `data`, and keeps the result with
    a hash. Each returns the splits train, dev, test and unlabeled as lists of examples.
    """

    def read_embedded(self, domain: str, sizes: Sizes) -> Splits:
        """Distinct documents from embedded/<domain>.yaml; test frames and names never occur in train."""
        return generate(
            self.folder / "embedded" / f"{domain}.yaml",
            "NAME",
            domain,
            sizes,
            draw=lambda grammar, rng, part: {"text": " ".join(grammar.document(rng, part)[0])},
            key=lambda row: row["text"],
        )

    def read_local(self, domain: str, folder: Path) -> Splits:
        """<domain>/{train,dev,test}.txt, one document a line. A bad line is refused by its number."""
        splits = {
            split: numbered(domain, split, ({"text": text} for text in documents(folder / domain / f"{split}.txt")))
            for split in SPLITS[:3]
        }
        return splits | {"unlabeled": splits["train"]}
