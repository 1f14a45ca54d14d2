"""Dialogues from a grammar: what its speaker answers, by the persona and by what the partner says.

The part `talk` of a grammar file:

    talk:
      persona: [frame, ...]            sentences about the speaker; not divided
      count: [3, 5]                    the fewest and the most exchanges after the opening
      openings: [exchange, ...]        one begins a dialogue
      exchanges: [exchange, ...]       some follow, in any order, each about something else

    exchange:
      about: pets                      optional: of exchanges about one thing a dialogue has one
      bind: {guess: pets}              drawn once an exchange, as in a scenario
      other: {guess: own_pets}         optional: what is bound is no entry of that list
      turns: [[frame, ...], ...]       alternatives of each turn: the partner's, divided, then the reply, not divided

`base: shared/talk.yaml` in a grammar file reads another first, whose keys the file's own replace; and
`own: {pets: two cats}` names the entry of the list `pets` that is the speaker's: it is the one entry of `own_pets`.
So many speakers share one way of talking.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from harness.base.errors import bad
from harness.base.yaml_file import read_yaml
from harness.contracts.model import Strict

if TYPE_CHECKING:
    from harness.data.grammar import Grammar, Part

TRIES = 100  # draws until a binding is other than it may not be


class Exchange(Strict):
    """A few turns about one thing."""

    about: str | None = None
    bind: dict[str, str] = {}
    other: dict[str, str] = {}
    turns: list[list[str]]

    @field_validator("turns")
    @classmethod
    def _end_with_a_reply(cls, value: list[list[str]]) -> list[list[str]]:
        if not value or len(value) % 2:
            raise ValueError("write turns by turns, the partner's first and a reply last")
        return value


class Talk(Strict):
    """How a speaker talks."""

    persona: list[str] = []
    count: tuple[int, int] = (3, 5)
    openings: list[Exchange] = []
    exchanges: list[Exchange] = Field(min_length=1)

    @field_validator("count")
    @classmethod
    def _is_a_range(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= value[0] <= value[1]:
            raise ValueError("write the fewest exchanges and the most, at least 1")
        return value


def read_grammar(path: Path) -> dict[str, Any]:
    """A grammar file with what it takes from its `base`, and the speaker's own entries."""
    content = read_yaml(path)
    if "base" in content:
        base = path.parent / str(content.pop("base"))
        content = {**read_yaml(base), **content}
    words = dict(content.get("words") or {})
    for name, wanted in dict(content.pop("own", None) or {}).items():
        entries = words.get(name)
        if not entries:
            raise bad(path, "own", name, "there is no such list under words; name one")
        by_base = {its["base"] if isinstance(its, dict) else its: its for its in entries}
        if wanted not in by_base:
            raise bad(path, f"own.{name}", wanted, f"the list has no such entry; use one of {', '.join(by_base)}")
        words[f"own_{name}"] = [by_base[wanted]]
    return {**content, "words": words} if words else content


def conversation(grammar: Grammar, rng: Random, part: Part) -> tuple[list[str], list[list[str]]]:
    """The persona's sentences and the turns of one dialogue of `part`, [partner's, reply] each."""
    talk = grammar.talk
    if talk is None:
        raise bad(grammar.where, "talk", None, "a dialogue is made of it; say what is asked and answered")
    persona = [grammar.filled(frame, rng, part, {}) for frame in talk.persona]
    topics: dict[str, list[Exchange]] = {}
    for place, exchange in enumerate(talk.exchanges):
        topics.setdefault(exchange.about or f"exchange {place}", []).append(exchange)
    about = rng.sample(list(topics), min(rng.randint(*talk.count), len(topics)))
    chosen = [rng.choice(its) for its in [*([talk.openings] if talk.openings else []), *(topics[its] for its in about)]]
    said = [text for its in chosen for text in _said(grammar, its, rng, part)]
    return persona, [list(pair) for pair in zip(said[::2], said[1::2], strict=True)]


def _said(grammar: Grammar, exchange: Exchange, rng: Random, part: Part) -> list[str]:
    for _ in range(TRIES):
        bound = grammar.bound(exchange.bind, rng, part)
        if not any(bound[name] in grammar.words[taken] for name, taken in exchange.other.items()):
            able = [frames if place % 2 else grammar.of(part, frames) for place, frames in enumerate(exchange.turns)]
            return [grammar.filled(rng.choice(frames), rng, part, bound) for frames in able]
    raise bad(grammar.where, "other", exchange.other, "the lists hold nothing else; add an entry")
