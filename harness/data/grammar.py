"""The generator behind every embedded source: word lists and frames in, sentences and documents out.

A grammar is one YAML file:

    words:      {month: [March, April]}            drawn from in every part
    entities:   {LOC: [Utrecht, Zwolle, ...]}      divided: a test entity never occurs in train
    frames:     ["{PER} was born in {LOC} ."]      divided; for tasks made of single sentences
    scenarios:                                     for tasks made of documents
      - bind: {A: person, B: person, when: day}    drawn once a document, A and B distinct
        document: [[frame, frame, ...], ...]       a list of alternatives for each place, divided
        summary: [frame, ...]                      optional; not divided
    labelled:                                      for tasks made of texts with a label
      - label: equivalent                          a class, or a number; each is drawn as often as any other
        bind: {A: person, B: person}
        text: [frame, frame, ...]                  divided
        pair: [frame, frame, ...]                  optional: a second text, from another frame where there is one
        changes: [{A: B, B: A}, ...]               optional: in the second text A stands for B's entry and B for A's
        unlabeled: false                           optional: it stands in no unlabeled text, as no real corpus has it
    records: [...]                                 for tasks made of records and texts; see telling.py
    talk: {...}                                    for tasks made of dialogues; see talk.py

A frame holds slots: `{LOC}` draws from a list, `{A}` repeats a binding, `{LOC.in}` asks for a form.
An entry of a list is a string, which may hold slots itself (`FC {LOC}`), or a mapping of forms with
at least `base` (`{base: Helsinki, in: Helsingissä}`); slots inside one entry are drawn once for all
its forms. A place of a document may be `{chance: 0.5, frames: [...]}`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.base.errors import bad
from harness.contracts.model import Strict, validate
from harness.data.talk import Talk, read_grammar
from harness.data.telling import Records

Part = Literal["train", "dev", "test", "unlabeled"]
Forms = dict[str, str]
SLOT = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:\.([A-Za-z_][A-Za-z0-9_]*))?\}")
SMALLEST_DIVIDED = 4


@dataclass(frozen=True)
class Segment:
    """A stretch of a rendered frame and the slot that it fills (None for the frame's own words)."""

    text: str
    slot: str | None


def divide(items: Sequence[Any], part: Part) -> list[Any]:
    """The items of a divided list that `part` may use: five eighths train, one eighth dev, a quarter test.

    Unlabeled text may use all of them: a pretraining corpus knows the language's words and names. That
    it never holds a whole test example is the generator's duty.
    """
    if part == "unlabeled":
        return list(items)
    if part == "test":
        return [item for place, item in enumerate(items) if place % 4 == 3]
    if part == "dev":
        return [item for place, item in enumerate(items) if place % 8 == 1]
    return [item for place, item in enumerate(items) if place % 4 != 3 and place % 8 != 1]


class MayBe(Strict):
    """A place of a document that not every document has."""

    chance: float = Field(ge=0, le=1)
    frames: list[str]


class Scenario(Strict):
    """One kind of document."""

    bind: dict[str, str] = {}
    document: list[list[str] | MayBe]
    summary: list[str] = []


class Labelled(Strict):
    """One kind of text, or of two texts, with its label."""

    label: str | float
    bind: dict[str, str] = {}
    text: list[str]
    pair: list[str] = []
    changes: list[dict[str, str]] = []
    unlabeled: bool = True


class GrammarFile(Strict):
    """What a grammar file may say."""

    words: dict[str, list[str | Forms]] = {}
    entities: dict[str, list[str | Forms]] = {}
    frames: list[str] = []
    scenarios: list[Scenario] = []
    labelled: list[Labelled] = []
    records: list[Records] = []
    talk: Talk | None = None
    note: str | None = None


class Grammar:
    """Word lists and frames of one language or domain, checked when they are loaded."""

    def __init__(self, content: Mapping[str, Any], where: Path | str) -> None:
        self.where = where
        its = validate(GrammarFile, content, where)
        self.labels, self.talk, self.records = its.labelled, its.talk, its.records
        self.words = {name: self._entries(items) for name, items in content.get("words", {}).items()}
        self.entities = {name: self._entries(items) for name, items in content.get("entities", {}).items()}
        self.frames: list[str] = list(content.get("frames", []))
        self.scenarios: list[dict[str, Any]] = list(content.get("scenarios", []))
        self._lists = {part: self._lists_of(part) for part in ("train", "dev", "test", "unlabeled")}
        self._check()

    @classmethod
    def load(cls, path: Path) -> Grammar:
        """Read and check a grammar file; raises UserError naming the file and the frame at fault."""
        return cls(read_grammar(path), path)

    def sentence(self, rng: random.Random, part: Part) -> list[Segment]:
        """One single-sentence frame of `part`, rendered."""
        return self._render(rng.choice(divide(self.frames, part)), rng, part, {})

    def document(self, rng: random.Random, part: Part, window: int | None = None) -> tuple[list[str], str | None]:
        """The sentences of one document of `part`, and its summary where its scenario has one.

        With a `window`, those of so many places in a row, which begin anywhere in the document.
        """
        scenario = rng.choice(self.scenarios)
        bound = self.bound(scenario.get("bind", {}), rng, part)
        places, sentences = scenario["document"], []
        if window:
            begin = rng.randrange(max(1, len(places) - window + 1))
            places = places[begin : begin + window]
        for place in places:
            if isinstance(place, Mapping):
                if rng.random() >= place["chance"]:
                    continue
                place = place["frames"]
            sentences.append(_join(self._render(rng.choice(divide(place, part)), rng, part, bound)))
        summaries = scenario.get("summary")
        summary = _join(self._render(rng.choice(summaries), rng, part, bound)) if summaries else None
        return sentences, summary

    def labelled(self, rng: random.Random, part: Part) -> tuple[str, str | None, str | float]:
        """A text of `part`, the second text where its kind has one, and their label."""
        able = [kind for kind in self.labels if kind.unlabeled or part != "unlabeled"]
        if not able:
            raise bad(self.where, "labelled", None, "it has no kind of text for this part; add one")
        label = rng.choice(list(dict.fromkeys(kind.label for kind in able)))
        kind = rng.choice([kind for kind in able if kind.label == label])
        bound = self.bound(kind.bind, rng, part)
        frame = rng.choice(divide(kind.text, part))
        text = _join(self._render(frame, rng, part, bound))
        if not kind.pair:
            return text, None, label
        change = rng.choice(kind.changes) if kind.changes else {}
        changed = bound | {name: bound[other] for name, other in change.items()}
        frames = divide(kind.pair, part)
        others = [other for other in frames if other != frame] or frames
        return text, _join(self._render(rng.choice(others), rng, part, changed)), label

    def filled(self, frame: str, rng: random.Random, part: Part, bound: Mapping[str, Forms]) -> str:
        """A frame as text, its slots drawn but for those that are bound."""
        return _join(self._render(frame, rng, part, bound))

    def of(self, part: Part, frames: Sequence[Any]) -> list[Any]:
        """The frames, or layouts, of a divided list that `part` may use."""
        return divide(frames, part)

    def _lists_of(self, part: Part) -> dict[str, list[Forms]]:
        lists = dict(self.words)
        for name, entries in self.entities.items():
            patterns = [entry for entry in entries if SLOT.search(entry["base"])]
            plain = [entry for entry in entries if not SLOT.search(entry["base"])]
            lists[name] = patterns + divide(plain, part)
        return lists

    def bound(self, names: Mapping[str, str], rng: random.Random, part: Part) -> dict[str, Forms]:
        """An entry of a list for each name, those of one list distinct."""
        bound: dict[str, Forms] = {}
        for name, list_name in names.items():
            taken = {bound[other]["base"] for other, of in names.items() if other in bound and of == list_name}
            for _ in range(100):
                forms = self._draw(list_name, rng, part)
                if forms["base"] not in taken:
                    break
            bound[name] = forms
        return bound

    def _draw(self, list_name: str, rng: random.Random, part: Part) -> Forms:
        """Draw an entry and fill its own slots, the same way in all its forms."""
        entry = rng.choice(self._lists[part][list_name])
        inner: dict[str, Forms] = {}
        for text in entry.values():
            for name, _ in SLOT.findall(text):
                if name not in inner:
                    inner[name] = self._draw(name, rng, part)
        return {form: SLOT.sub(lambda m: inner[m[1]][m[2] or "base"], text) for form, text in entry.items()}

    def _render(self, frame: str, rng: random.Random, part: Part, bound: Mapping[str, Forms]) -> list[Segment]:
        segments: list[Segment] = []
        end = 0
        for match in SLOT.finditer(frame):
            if match.start() > end:
                segments.append(Segment(frame[end : match.start()], None))
            name, form = match[1], match[2] or "base"
            forms = bound[name] if name in bound else self._draw(name, rng, part)
            segments.append(Segment(forms[form], name))
            end = match.end()
        if end < len(frame):
            segments.append(Segment(frame[end:], None))
        first = segments[0]
        segments[0] = Segment(first.text[:1].upper() + first.text[1:], first.slot)
        return segments

    def _entries(self, items: Sequence[Any]) -> list[Forms]:
        entries = [dict(item) if isinstance(item, Mapping) else {"base": item} for item in items]
        for entry in entries:
            if "base" not in entry:
                raise bad(self.where, "an entry", entry, "add the form `base`")
        return entries

    def _check(self) -> None:
        both = set(self.words) & set(self.entities)
        if both:
            raise bad(self.where, "a list name", sorted(both)[0], "use it under words or under entities, not both")
        for name, entries in self.entities.items():
            plain = [entry for entry in entries if not SLOT.search(entry["base"])]
            if 0 < len(plain) < SMALLEST_DIVIDED:
                raise bad(self.where, f"entities.{name}", len(plain), f"a divided list needs {SMALLEST_DIVIDED}")
        lists = {**self.words, **self.entities}
        for entries in lists.values():
            for entry in entries:
                for text in entry.values():
                    self._check_slots(text, lists, {})
        self._check_frames(self.frames, lists, {}, divided=bool(self.frames))
        for scenario in self.scenarios:
            bound = scenario.get("bind", {})
            for list_name in bound.values():
                if list_name not in lists:
                    raise bad(self.where, "bind", list_name, "name a list under words or entities")
            for place in scenario["document"]:
                frames = place["frames"] if isinstance(place, Mapping) else place
                self._check_frames(frames, lists, bound, divided=True)
            self._check_frames(scenario.get("summary", []), lists, bound, divided=False)

        for kind in self.labels:
            for list_name in kind.bind.values():
                if list_name not in lists:
                    raise bad(self.where, "bind", list_name, "name a list under words or entities")
            for name in [name for change in kind.changes for both in change.items() for name in both]:
                if name not in kind.bind:
                    raise bad(self.where, "changes", name, f"it is not bound; use one of {', '.join(kind.bind)}")
            self._check_frames(kind.text, lists, kind.bind, divided=True)
            self._check_frames(kind.pair, lists, kind.bind, divided=bool(kind.pair))
        if self.talk:
            self._check_talk(self.talk, lists)
        for records in self.records:
            self._check_records(records, lists)

    def _check_talk(self, talk: Talk, lists: Mapping[str, list[Forms]]) -> None:
        self._check_frames(talk.persona, lists, {}, divided=False)
        for exchange in [*talk.openings, *talk.exchanges]:
            for list_name in exchange.bind.values():
                if list_name not in lists:
                    raise bad(self.where, "bind", list_name, "name a list under words or entities")
            for name, taken in exchange.other.items():
                if name not in exchange.bind:
                    raise bad(self.where, "other", name, f"it is not bound; use one of {', '.join(exchange.bind)}")
                if taken not in self.words:
                    raise bad(self.where, f"other.{name}", taken, "name a list under words")
            for place, frames in enumerate(exchange.turns):
                self._check_frames(frames, lists, exchange.bind, divided=place % 2 == 0)

    def _check_records(self, records: Records, lists: Mapping[str, list[Forms]]) -> None:
        for list_name in records.bind.values():
            if list_name not in lists:
                raise bad(self.where, "bind", list_name, "name a list under words or entities")
        for field, text in records.fields.items():
            for name, _ in SLOT.findall(text):
                if name not in records.bind:
                    raise bad(self.where, f"fields.{field}", text, f"{name!r} is not bound, so no text would say it")
            self._check_slots(text, lists, records.bind)
        records.check_layouts(self.where)
        self._check_frames(records.frames(), lists, records.bind, divided=False)

    def _check_frames(
        self, frames: Sequence[str], lists: Mapping[str, list[Forms]], bound: Mapping[str, str], divided: bool
    ) -> None:
        if divided and len(frames) < SMALLEST_DIVIDED:
            raise bad(self.where, "a list of frames", frames, f"give at least {SMALLEST_DIVIDED} alternatives")
        for frame in frames:
            self._check_slots(frame, lists, bound)

    def _check_slots(self, text: str, lists: Mapping[str, list[Forms]], bound: Mapping[str, str]) -> None:
        if "{" in SLOT.sub("", text) or "}" in SLOT.sub("", text):
            raise bad(self.where, "a frame", text, "write slots as {name} or {name.form}")
        for name, form in SLOT.findall(text):
            list_name = bound.get(name, name)
            if list_name not in lists:
                raise bad(self.where, "a slot", f"{{{name}}} in {text}", "name a list or a binding")
            if form and any(form not in entry for entry in lists[list_name]):
                lacking = next(entry["base"] for entry in lists[list_name] if form not in entry)
                raise bad(
                    self.where, f"a slot of {text!r}", f"{{{name}.{form}}}", f"add the form {form!r} to {lacking!r}"
                )


def _join(segments: Sequence[Segment]) -> str:
    return "".join(segment.text for segment in segments)
