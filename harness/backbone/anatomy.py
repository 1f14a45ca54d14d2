"""Where each architecture keeps its attention, its FFN and its heads. No torch here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from harness.base.errors import bad, reason
from harness.base.lines import Where
from harness.base.paths import project_root
from harness.base.yaml_file import read_yaml
from harness.contracts.method import ANSWERING, Kind
from harness.contracts.model import Strict, one_of, validate

FILE = "anatomy.yaml"  # beside this file, and in the project's own folder where it describes more
DEFAULT_PAD = 1  # what transformers takes where a config.json that counts from it does not say
DenseRole = Literal["query", "key", "value", "output", "gate", "up", "down"]
Objective = Literal["masked", "causal", "denoised", "spans", "deleted"]
Sign = Literal["pad_token_id", "eos_token_id"]
Paths = str | tuple[str, ...]  # of several, the first that a model has


class AttentionPaths(Strict):
    """Paths of one attention, relative to its layer."""

    module: str
    query: str
    key: str
    value: str
    output: str


class FeedForwardPaths(Strict):
    """Paths of one FFN, relative to its layer; `gate` where it has one that is no part of `up`."""

    up: Paths
    down: Paths
    gate: Paths | None = None


class Stack(Strict):
    """A run of equal layers. Paths are relative to the body.

    `final` is a norm after the last layer, if the model has it. `reads` is the module that is given the tokens and
    their mask, where it is not the body of a model with one stack, and not the one that holds the layers of one
    with two. `heads` is the name of the field of config.json where it is not the architecture's.
    """

    layers: str
    final: str | None = None
    reads: str | None = None
    heads: str | None = None
    attention: dict[Literal["self", "cross"], AttentionPaths]
    ffn: FeedForwardPaths


class Anatomy(Strict):
    """One entry of anatomy.yaml.

    Fields from `width` to `dropouts` are names of fields of its config.json; `depth` and `inner` have one for each
    stack, or one for all. `objective` is what it is pretrained by. `segments` is the field of config.json that says how
    many texts of one input it tells apart, and `pooler` the part of the body that only a head of whole texts reads, so
    that a checkpoint may lack it: it is then the head's. `signs` are the ids of config.json that the model
    itself goes by, so that the tokenizer's must be the same. `reads_distances` says that dense layers of its
    attention read distances of tokens too, once for all texts of a batch; `fixed` are modules of its body with a
    weight that no step may change. `constants` are what a new configuration says beside these, the name of a sign
    standing for its id.
    """

    kinds: list[Kind]
    objective: Objective
    width: str
    heads: str
    key_heads: str | None = None
    head_width: str | None = None
    depth: list[str]
    inner: list[str]
    positions: str | None = None
    spread: str | None = None
    dropouts: list[str] = []
    counts_from_pad: bool = False
    reads_distances: bool = False
    fixed: list[str] = []
    segments: str | None = None
    pooler: str | None = None
    signs: list[Sign] = []
    constants: dict[str, Any] = {}
    stacks: dict[Literal["encoder", "decoder"], Stack]

    @field_validator("kinds", "stacks")
    @classmethod
    def _holds_some(cls, value: Any) -> Any:
        if not value:
            raise ValueError("name at least one")
        return value

    def model_for(self, kind: Kind) -> Kind:
        """The kind of task that a model of this architecture is made for when it serves `kind`.

        An answer in words is language modelling to a decoder alone, and to an encoder-decoder what a summary is.
        """
        if kind not in ANSWERING:
            return kind
        return "causal-lm" if len(self.stacks) == 1 else "summarization"

    def room(self, positions: int, pad: int | None) -> int:
        """The longest input in tokens, from the positions that a model has and the id of its padding sign."""
        return positions - (DEFAULT_PAD if pad is None else pad) - 1 if self.counts_from_pad else positions

    def configuration(
        self,
        signs: dict[str, int],
        width: int,
        depth: int,
        heads: int,
        inner: int,
        positions: int,
        spread: float,
        dropout: float = 0.0,
        key_heads: int | None = None,
    ) -> dict[str, Any]:
        """The fields of a new model's configuration; `signs` are the vocabulary's size and the ids of its signs."""
        fields: dict[str, Any] = dict(signs)
        fields |= {name: signs.get(value, value) if isinstance(value, str) else value
                   for name, value in self.constants.items()}  # fmt: skip
        fields |= {self.width: width, self.heads: heads}
        fields |= dict.fromkeys(self.depth, depth) | dict.fromkeys(self.inner, inner)
        fields |= dict.fromkeys(self.dropouts, dropout)
        fields |= {stack.heads: heads for stack in self.stacks.values() if stack.heads}
        from_pad = signs["pad_token_id"] + 1 if self.counts_from_pad else 0
        for name, value in (
            (self.key_heads, key_heads or heads),
            (self.head_width, width // heads),
            (self.positions, positions + from_pad),
            (self.spread, spread),
        ):
            if name:
                fields[name] = value
        return fields


def anatomies() -> dict[str, Anatomy]:
    """Every described architecture by its `model_type`: the harness's own, and what the project's anatomy.yaml adds."""
    return _own_anatomies() | added_anatomies()


def added_anatomies() -> dict[str, Anatomy]:
    """What the project's own anatomy.yaml adds, or says in the place of the harness's; nothing where there is none."""
    file = project_root() / FILE
    return _entries(file, file.read_bytes()) if file.is_file() else {}


@cache
def _own_anatomies() -> dict[str, Anatomy]:
    file = Path(__file__).with_name(FILE)
    return _entries(file, file.read_bytes())


@cache
def _entries(file: Path, content: bytes) -> dict[str, Anatomy]:
    """What a file says while it has this content."""
    return {name: validate(Anatomy, entry, file, name) for name, entry in read_yaml(file).items()}


def described_in(architecture: str) -> Path:
    """The file with an architecture's entry."""
    return project_root() / FILE if architecture in added_anatomies() else Path(__file__).with_name(FILE)


def anatomy_of(architecture: str, where: Where, field: str) -> Anatomy:
    """The entry of an architecture that a configuration names; raises UserError where it is not described."""
    known = anatomies()
    one_of(architecture, known, where, field)
    return known[architecture]


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
        mend = f"use one of {', '.join(anatomies())}, or describe it in {project_root() / FILE}"
        raise bad(config, "model_type", architecture, mend)
    return str(architecture)


def positions_of(checkpoint: Path) -> int | None:
    """The longest input of a checkpoint directory, in tokens; None where it has no end, or config.json does not say."""
    anatomy = anatomies()[architecture_of(checkpoint)]
    config = checkpoint / "config.json"
    content = json.loads(config.read_text(encoding="utf-8"))
    if anatomy.positions is None or anatomy.positions not in content:
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
