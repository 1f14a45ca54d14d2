"""Personas of XPersona's files, which name none: dialogues of one speaker share sentences of her description."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

from harness.base.errors import bad, reason
from harness.base.fingerprint import fingerprint
from harness.contracts.model import one_of
from harness.contracts.reader import Tagging
from harness.data.files import existing, text_lines
from harness.data.kinds.dialogue import Dialogue
from harness.data.rows import Row, RowFault, numbered
from harness.data.task import Example, Splits

FILE = "test.json"  # a list of {persona: [sentence, ...], dialogue: [[partner's turn, reply], ...]}
CALLED = {"persona": "the field 'persona'", "turns": "the field 'dialogue'"}
SHARED = 2  # sentences of the persona that two dialogues of one speaker have in common, at least
SHOWN = 80  # characters of what is wrong
LEAST = 3  # dialogues of a persona: one each to learn from, to choose by and to score
_KNOWN: dict[tuple[Path, bytes], dict[str, list[Example]]] = {}  # of the newest file, by its content


class PersonaChat(Dialogue):
    """A persona is a group of dialogues, each joined to another by at least two sentences of their personas."""

    def found(self, folder: Path) -> list[str]:
        """The personas of the file, numbered as they first appear."""
        return list(_personas(folder / FILE, self))

    def local_content(self, domain: str, folder: Path) -> Any:
        """The persona's dialogues."""
        return fingerprint(self._of(domain, folder))

    def read_local(self, domain: str, folder: Path) -> Splits:
        """A quarter of a persona's dialogues, in the order of their hashes, is the test split, one the dev split."""
        examples = sorted(self._of(domain, folder), key=_place)
        tested = max(1, len(examples) // 4)
        cut = {"test": examples[:tested], "dev": examples[tested : tested + 1], "train": examples[tested + 1 :]}
        splits = {split: numbered(domain, split, rows) for split, rows in cut.items()}
        return splits | {"unlabeled": splits["train"]}

    def _of(self, domain: str, folder: Path) -> list[Example]:
        personas = _personas(folder / FILE, self)
        one_of(domain, list(personas), folder / FILE, "a persona")
        return personas[domain]


def _place(example: Example) -> str:
    return hashlib.sha256(json.dumps(example, sort_keys=True).encode()).hexdigest()


def _personas(file: Path, task: Dialogue) -> dict[str, list[Example]]:
    """The dialogues of each persona that has enough; raises UserError naming the file and the entry at fault."""
    stand = file, existing(file).read_bytes()
    if stand not in _KNOWN:  # each of many personas is asked for
        _KNOWN.clear()
        examples = _examples(file, "\n".join(text_lines(file, may_end_open=True)), task)
        whole = [its for its in grouped([example["persona"] for example in examples]) if len(its) >= LEAST]
        if not whole:
            mend = f"no {LEAST} of its {len(examples)} dialogues are of one persona; name another file"
            raise bad(file, "the number of personas", 0, mend)
        width = len(str(len(whole) - 1))
        _KNOWN[stand] = {
            f"persona_{number:0{width}}": [examples[place] for place in its] for number, its in enumerate(whole)
        }
    return _KNOWN[stand]


def grouped(personas: list[list[str]]) -> list[list[int]]:
    """The places of each group's personas: who shares two sentences with one of a group is of it too (union-find)."""
    holders: dict[str, list[int]] = defaultdict(list)
    for place, sentences in enumerate(personas):
        for sentence in dict.fromkeys(sentences):
            holders[sentence].append(place)
    shared = Counter(pair for places in holders.values() for pair in combinations(places, 2))
    parent = list(range(len(personas)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    for (one, other), count in shared.items():
        if count >= SHARED:
            first, second = sorted((root(one), root(other)))
            parent[second] = first
    groups: dict[int, list[int]] = defaultdict(list)
    for place in range(len(personas)):
        groups[root(place)].append(place)
    return list(groups.values())


def _examples(file: Path, text: str, task: Dialogue) -> list[Example]:
    """Every dialogue of the file, in its order."""
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        line, mend = error.lineno, f"it is no JSON ({reason(error)}); fetch it again"
        raise bad(f"{file}: line {line}", "the text", text.split("\n")[line - 1][:SHOWN], mend) from None
    if not isinstance(entries, list) or not entries:
        mend = "it is no list of dialogues, or an empty one; write [{persona: [...], dialogue: [...]}, ...]"
        raise bad(file, "the file", str(entries)[:SHOWN], mend)
    return [_example(f"{file}: entry {number}", entry, task) for number, entry in enumerate(entries, 1)]


def _example(where: str, entry: Any, task: Dialogue) -> Example:
    if not isinstance(entry, dict):
        raise bad(where, "the entry", str(entry)[:SHOWN], "it is no object; write {persona: [...], dialogue: [...]}")
    for field in ("persona", "dialogue"):
        one_of(field, list(entry), where, "a field")
    row = Row(where, {"persona": entry["persona"], "turns": entry["dialogue"]}, CALLED)
    try:
        return task.from_row(row.values, Tagging())
    except RowFault as fault:
        raise row.refusal(fault) from None
