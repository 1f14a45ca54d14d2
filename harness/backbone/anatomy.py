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
    """One entry of anatomy.yaml."""

    kinds: list[Kind]
    width: str
    heads: str
    positions: str
    unused_positions: int = 0
    stacks: dict[Literal["encoder", "decoder"], Stack]


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
        architecture = json.loads(config.read_text(encoding="utf-8"))["model_type"]
    except (ValueError, KeyError, TypeError) as error:
        mend = f"it cannot be read ({reason(error)}); fetch the checkpoint again"
        raise bad(config, "model_type", None, mend) from None
    if architecture not in list(anatomies()):
        mend = f"use one of {', '.join(anatomies())}, or describe it in anatomy.yaml"
        raise bad(config, "model_type", architecture, mend)
    return str(architecture)


def positions_of(checkpoint: Path) -> int | None:
    """The longest input of a checkpoint directory, in tokens; None where its config.json does not say."""
    anatomy = anatomies()[architecture_of(checkpoint)]
    content = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    return int(content[anatomy.positions]) - anatomy.unused_positions if anatomy.positions in content else None


def check_kind(where: Where, architecture: str, kind: Kind) -> None:
    """Raise UserError where an architecture cannot do a kind of task."""
    if kind not in anatomies()[architecture].kinds:
        able = [name for name, anatomy in anatomies().items() if kind in anatomy.kinds]
        raise bad(where, "the backbone's architecture", architecture, f"a {kind} task needs one of {', '.join(able)}")
