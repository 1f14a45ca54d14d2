"""The card of a pinned backbone: what its checkpoint was trained from, and the hash by which it is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.backbone.weights import weight_files
from harness.base.errors import bad
from harness.base.files import write_text
from harness.base.fingerprint import hash_file
from harness.base.yaml_file import read_yaml
from harness.contracts.model import Strict, validate

CARD = "card.yaml"
HEAD = "# Written by `headstart pretrain {name}`, with the checkpoint beside it, from recipe.yaml.\n"


class Card(Strict):
    """What `headstart pretrain` writes beside a checkpoint.

    `identity` is the fingerprint of the recipe and of the text that was read, by which tuned rates are known to be the
    backbone's; `sha256` is of its weights. `texts` counts what was read, by task and domain or by folder and file;
    `held_out` is the mean loss of the pretraining objective, in nats a predicted token, on what was not read: a
    domain's dev texts, and the documents of a file that are kept apart.
    """

    identity: str
    sha256: str
    parameters: int
    texts: dict[str, dict[str, int]]
    held_out: dict[str, dict[str, float]]
    seconds: float
    cpu_seconds: float
    provenance: dict[str, Any]


def read_card(checkpoint: Path) -> Card | None:
    """The card of a checkpoint directory, None where it has none; raises UserError where the weights are others."""
    file = checkpoint / CARD
    if not file.is_file():
        return None
    card = validate(Card, read_yaml(file), file)
    found = [hash_file(weights) for weights in weight_files(checkpoint)]
    if found != [card.sha256]:
        mend = f"the weights beside it have {', '.join(found) or 'no file'}; restore them, or remove the card"
        raise bad(file, "sha256", card.sha256, mend)
    return card


def write_card(checkpoint: Path, name: str, card: Card) -> None:
    """Write the card of the backbone `name` into its checkpoint directory."""
    write_text(checkpoint / CARD, HEAD.format(name=name) + yaml.safe_dump(card.model_dump(), sort_keys=False))
