"""Which frames and entities a grammar used for each text, seen from outside while a task generates."""

from __future__ import annotations

from collections.abc import Iterator
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


@contextmanager
def watched() -> Iterator[Used]:
    """Note what grammars draw inside."""
    used, frames, entities = Used(), set[str](), set[tuple[str, str]]()
    sentence, document, labelled = Grammar.sentence, Grammar.document, Grammar.labelled
    render, draw = Grammar._render, Grammar._draw
    record, prose, layout = telling.record, telling.prose, telling.layout_of

    def note(text: str) -> None:
        # One text may come from several draws; what any of them used counts.
        used.frames.setdefault(key(text), set()).update(frames)
        used.entities.setdefault(key(text), set()).update(entities)
        frames.clear()
        entities.clear()

    def noted_sentence(self: Grammar, *arguments: Any) -> Any:
        segments = sentence(self, *arguments)
        note("".join(segment.text for segment in segments))
        return segments

    def noted_document(self: Grammar, *arguments: Any) -> Any:
        sentences, summary = document(self, *arguments)
        note(" ".join(sentences))
        return sentences, summary

    def noted_labelled(self: Grammar, *arguments: Any) -> Any:
        text, pair, label = labelled(self, *arguments)
        note(f"{text} {pair}" if pair else text)
        return text, pair, label

    def noted_record(grammar: Grammar, *arguments: Any) -> Any:
        line, texts = record(grammar, *arguments)
        note(line)
        return line, texts

    def noted_prose(grammar: Grammar, *arguments: Any) -> str:
        text = prose(grammar, *arguments)
        note(text)
        return text

    def noted_layout(*arguments: Any) -> Any:
        fields = layout(*arguments)
        frames.add(" ".join(fields))
        return fields

    def noted_conversation(grammar: Grammar, *arguments: Any) -> Any:
        persona, turns = converse(grammar, *arguments)
        said = " ".join(f"{who} {text}" for pair in turns for who, text in zip(("them:", "me:"), pair, strict=True))
        kept = set(frames), set(entities)
        note(said)
        frames.update(kept[0])
        entities.update(kept[1])
        note(" ".join(["about me:", *persona, said]))
        return persona, turns

    def noted_render(self: Grammar, frame: str, *arguments: Any) -> Any:
        own = [*undivided(self), *(its for kind in self.records for its in kind.frames())]
        if frame not in own and not any(frame in scenario.get("summary", []) for scenario in self.scenarios):
            frames.add(frame)
        return render(self, frame, *arguments)

    def noted_draw(self: Grammar, name: str, *arguments: Any) -> Any:
        forms = draw(self, name, *arguments)
        if any(
            entry["base"] == forms["base"] and not SLOT.search(entry["base"]) for entry in self.entities.get(name, [])
        ):
            entities.add((name, forms["base"]))
        return forms

    converse = dialogue.conversation
    with (
        mock.patch.object(dialogue, "conversation", noted_conversation),
        mock.patch.multiple(data_to_text, record=noted_record, prose=noted_prose),
        mock.patch.object(telling, "layout_of", noted_layout),
        mock.patch.multiple(
            Grammar,
            sentence=noted_sentence,
            document=noted_document,
            labelled=noted_labelled,
            _render=noted_render,
            _draw=noted_draw,
        ),
    ):
        yield used
