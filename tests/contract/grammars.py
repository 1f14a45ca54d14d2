"""Which frames and entities a grammar used for each text, seen from outside while a task generates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from harness.data import telling
from harness.data.grammar import SLOT, Grammar
from harness.data.kinds import data_to_text, dialogue


@dataclass
class Used:
    """Of every text made: its divided frames and the divided entities in it."""

    frames: dict[str, set[str]] = field(default_factory=dict)
    entities: dict[str, set[tuple[str, str]]] = field(default_factory=dict)


def key(text: str) -> str:
    """A text without its spaces: tasks part words in their own ways."""
    return "".join(text.split())


def undivided(grammar: Grammar) -> list[str]:
    """What a speaker is and answers: these frames are the same in every split, as those of summaries are."""
    if grammar.talk is None:
        return []
    exchanges = [*grammar.talk.openings, *grammar.talk.exchanges]
    return [*grammar.talk.persona, *(frame for its in exchanges for frames in its.turns[1::2] for frame in frames)]


class Notes:
    """What grammars draw, and the texts that they make of it."""

    def __init__(self) -> None:
        self.used, self.frames, self.entities = Used(), set[str](), set[tuple[str, str]]()

    def note(self, text: str) -> None:
        """What was drawn until now is of this text. One may come from several draws; what any of them used counts."""
        self.used.frames.setdefault(key(text), set()).update(self.frames)
        self.used.entities.setdefault(key(text), set()).update(self.entities)
        self.frames.clear()
        self.entities.clear()

    def after(self, original: Callable[..., Any], said: Callable[[Any], str]) -> Callable[..., Any]:
        """A draw after which the text that it `said` is noted."""

        def drawn(*arguments: Any) -> Any:
            found = original(*arguments)
            self.note(said(found))
            return found

        return drawn

    def after_both(self, converse: Callable[..., Any]) -> Callable[..., Any]:
        """A conversation after which it is noted without the persona, and with it."""

        def drawn(*arguments: Any) -> Any:
            persona, turns = converse(*arguments)
            said = " ".join(f"{who} {text}" for pair in turns for who, text in zip(("them:", "me:"), pair, strict=True))
            kept = set(self.frames), set(self.entities)
            self.note(said)
            self.frames.update(kept[0])
            self.entities.update(kept[1])
            self.note(" ".join(["about me:", *persona, said]))
            return persona, turns

        return drawn


@contextmanager
def watched() -> Iterator[Used]:
    """Note what grammars draw inside."""
    notes = Notes()
    render, draw, layout = Grammar._render, Grammar._draw, telling.layout_of

    def noted_layout(*arguments: Any) -> Any:
        fields = layout(*arguments)
        notes.frames.add(" ".join(fields))
        return fields

    def noted_render(self: Grammar, frame: str, *arguments: Any) -> Any:
        own = [*undivided(self), *(its for kind in self.records for its in kind.frames())]
        if frame not in own and not any(frame in scenario.get("summary", []) for scenario in self.scenarios):
            notes.frames.add(frame)
        return render(self, frame, *arguments)

    def noted_draw(self: Grammar, name: str, *arguments: Any) -> Any:
        forms = draw(self, name, *arguments)
        if any(
            entry["base"] == forms["base"] and not SLOT.search(entry["base"]) for entry in self.entities.get(name, [])
        ):
            notes.entities.add((name, forms["base"]))
        return forms

    told = {
        "record": notes.after(telling.record, lambda found: str(found[0])),
        "prose": notes.after(telling.prose, str),
    }
    said = {
        "sentence": notes.after(Grammar.sentence, lambda segments: "".join(segment.text for segment in segments)),
        "document": notes.after(Grammar.document, lambda found: " ".join(found[0])),
        "labelled": notes.after(Grammar.labelled, lambda found: " ".join(filter(None, found[:2]))),
    }
    with (
        mock.patch.object(dialogue, "conversation", notes.after_both(dialogue.conversation)),
        mock.patch.multiple(data_to_text, **told),
        mock.patch.object(telling, "layout_of", noted_layout),
        mock.patch.multiple(Grammar, _render=noted_render, _draw=noted_draw, **said),
    ):
        yield notes.used
