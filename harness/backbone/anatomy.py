"""Where each architecture keeps its attention, its FFN and its heads. No torch here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel

from harness.base.errors import bad, reason
from harness.base.lines import Where
from harness.contracts.method import Kind

DEFAULT_PAD = 1  # what transformers takes where a config.json that counts from it does not say
DenseRole = Literal["query", "key", "value", "output", "up", "down"]


class AttentionPaths(BaseModel):
    """Paths of one attention, relative to its layer."""

    module: str
    query: str
    key: str
    value: str
    output: str


class FeedForwardPaths(BaseModel):
    """Paths of one FFN, relative to its layer."""

    up: str
    down: str


class Stack(BaseModel):
    """A run of equal layers. Paths are relative to the body.

    `final` is a norm after the last layer.
    """

    layers: str
    final: str | None = None
    attention: dict[Literal["self", "cross"], AttentionPaths]
    ffn: FeedForwardPaths


class Anatomy(BaseModel):
    """One entry of anatomy.yaml.

    `segments` is the field of its config.json that says how many texts of one input it tells apart, `pooler` the part
    of the body that only a head of whole texts reads, so that a checkpoint may lack it: it is then the head's.
    `signs` are the ids of its config.json that the model itself goes by, so that the tokenizer's must be the same.
    """

    kinds: list[Kind]
    width: str
    heads: str
    positions: str
    counts_from_pad: bool = False
    segments: str | None = None
    pooler: str | None = None
    signs: list[Literal["pad_token_id", "eos_token_id"]] = []
    stacks: dict[Literal["encoder", "decoder"], Stack]

    def room(self, positions: int, pad: int | None) -> int:
        """The longest input in tokens, from the positions that a model has and the id of its padding sign."""
        return positions - (DEFAULT_PAD if pad is None else pad) - 1 if self.counts_from_pad else positions


@cache
def anatomies() -> dict[str, Anatomy]:
    """Every described architecture by its `model_type`."""
    content = yaml.safe_load(Path(__file__).with_name("anatomy.yaml").read_text(encoding="utf-8"))
    return {name: Anatomy.model_validate(entry) for name, entry in content.items()}


def architecture_of(checkpoint: Path) -> str:
    """The `model_type` of a checkpoint directory; raises UserError where it is none, or not described."""
    config = checkpoint / "config.json"
    if not config.is_file():
        raise bad(
            checkpoint, "the checkpoint", checkpoint.name, "config.json is missing; name a Hugging Face directory"
        )
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
        architecture = content.get("model_type")
    except (ValueError, AttributeError) as error:
        mend = f"it cannot be read ({reason(error)}); fetch the checkpoint again"
        raise bad(config, "model_type", None, mend) from None
    if architecture not in list(anatomies()):
        mend = f"use one of {', '.join(anatomies())}, or describe it in anatomy.yaml"
        raise bad(config, "model_type", architecture, mend)
    return str(architecture)


def positions_of(checkpoint: Path) -> int | None:
    """The longest input of a checkpoint directory, in tokens; None where its config.json does not say."""
    anatomy = anatomies()[architecture_of(checkpoint)]
    config = checkpoint / "config.json"
    content = json.loads(config.read_text(encoding="utf-8"))
    if anatomy.positions not in content:
        return None
    positions = _number(config, anatomy.positions, content[anatomy.positions])
    pad = content.get("pad_token_id", DEFAULT_PAD)
    return anatomy.room(positions, _number(config, "pad_token_id", pad) if anatomy.counts_from_pad else None)


def _number(config: Path, field: str, value: object) -> int:
    if type(value) is not int:
        raise bad(config, field, value, "write a number, or fetch the checkpoint again")
    return value


def check_kind(where: Where, architecture: str, kind: Kind) -> None:
    """Raise UserError where an architecture cannot do a kind of task."""
    if kind not in anatomies()[architecture].kinds:
        able = [name for name, anatomy in anatomies().items() if kind in anatomy.kinds]
        raise bad(where, "the backbone's architecture", architecture, f"a {kind} task needs one of {', '.join(able)}")
