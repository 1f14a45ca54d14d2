"""Personas of Persona-Chat's files, which name none: dialogues of one speaker share sentences of her description."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from harness.base.errors import bad
from harness.base.fingerprint import fingerprint
from harness.contracts.model import one_of
from harness.contracts.reader import Tagging
from harness.contracts.task import HubSet, Role
from harness.data.files import existing, hub_rows
from harness.data.kinds.dialogue import Dialogue
from harness.data.rows import Row, RowFault, numbered
from harness.data.task import Example, Splits

from . import paml, xpersona

XPERSONA = "test.json"  # one file, whose personas have roles by shares
PAML: dict[str, Role] = {"train": "meta_train", "valid": "meta_dev", "test": "meta_test"}  # a file each: its role
SHARED = 2  # sentences of the persona that two dialogues of one speaker have in common, at least
LEAST = 3  # dialogues of a persona: one each to learn from, to choose by and to score
Personas = dict[str, list[Example]]
_KNOWN: dict[tuple[Any, ...], Personas] = {}  # of the newest files, as they stand


class PersonaChat(Dialogue):
    """A persona is a group of dialogues, each joined to another by at least two sentences of their personas."""

    def found(self, folder: Path) -> list[str] | dict[str, Role]:
        """The personas, numbered as they first appear; with their roles where each role has a file of its own."""
        names = list(self._personas(folder))
        if _is_paml(folder):
            return {name: PAML[name.partition("_")[0]] for name in names}
        return names

    def local_content(self, domain: str, folder: Path) -> Any:
        """The persona's dialogues."""
        return fingerprint(self._of(domain, folder))

    def read_local(self, domain: str, folder: Path) -> Splits:
        """A quarter of a persona's dialogues is the test split, one the dev split."""
        return _cut(domain, self._of(domain, folder))

    def found_on_hub(self, hub: HubSet) -> list[str]:
        """The personas of the set's train split, numbered as they first appear."""
        return list(self._hub_personas(hub))

    def read_hub(self, domain: str, hub: HubSet) -> Splits:
        """The persona's dialogues, cut as those of files are."""
        return _cut(domain, self._hub_personas(hub)[domain])

    def from_hub(self, row: dict[str, Any]) -> Example:
        """Each utterance holds what was said before it and candidates, the reply last; the last one holds all turns."""
        last = row["turns"][-1]
        return self.from_row(row | {"turns": [*last["history"], last["candidates"][-1]]}, Tagging())

    def _hub_personas(self, hub: HubSet) -> Personas:
        stand = (hub.model_dump_json(),)
        if stand not in _KNOWN:
            _KNOWN.clear()
            split = hub.splits["train"]
            _KNOWN[stand] = _grouped("persona", f"hub data set {hub.id}: {split}", hub_rows(hub, split, self.from_hub))
        return _KNOWN[stand]

    def _of(self, domain: str, folder: Path) -> list[Example]:
        personas = self._personas(folder)
        one_of(domain, list(personas), _files(folder)[0], "a persona")
        return personas[domain]

    def _personas(self, folder: Path) -> Personas:
        """The dialogues of each persona that has enough; raises UserError naming the file and what is at fault."""
        files = _files(folder)
        stand = tuple((file, (its := existing(file).stat()).st_mtime_ns, its.st_size) for file in files)
        if stand not in _KNOWN:  # each of many personas is asked for
            _KNOWN.clear()
            found: Personas = {}
            for file in files:
                begin, read = (file.name.partition("_")[0], paml) if _is_paml(folder) else ("persona", xpersona)
                found |= _grouped(begin, file, list(self._examples(read.dialogues, file)))
            _KNOWN[stand] = found
        return _KNOWN[stand]

    def _examples(self, read: Callable[[Path], Iterable[Row]], file: Path) -> Iterator[Example]:
        for row in read(file):
            try:
                yield self.from_row(row.values, Tagging())
            except RowFault as fault:
                raise row.refusal(fault) from None


def _cut(domain: str, dialogues: list[Example]) -> Splits:
    """The splits of a persona's dialogues, by the order of their hashes."""
    examples = sorted(dialogues, key=_place)
    tested = max(1, len(examples) // 4)
    cut = {"test": examples[:tested], "dev": examples[tested : tested + 1], "train": examples[tested + 1 :]}
    splits = {split: numbered(domain, split, rows) for split, rows in cut.items()}
    return splits | {"unlabeled": splits["train"]}


def _place(example: Example) -> str:
    return hashlib.sha256(json.dumps(example, sort_keys=True).encode()).hexdigest()


def _is_paml(folder: Path) -> bool:
    return not (folder / XPERSONA).exists() and any(file.exists() for file in _paml_files(folder))


def _paml_files(folder: Path) -> list[Path]:
    return [folder / f"{split}_self_original.txt" for split in PAML]


def _files(folder: Path) -> list[Path]:
    """The files of the layout that lies in the folder; raises UserError where both do."""
    if (folder / XPERSONA).exists():
        for file in _paml_files(folder):
            if file.exists():
                mend = f"{XPERSONA} lies beside it, and one of them alone can be read; put the other elsewhere"
                raise bad(file, "the data file", file.name, mend)
    return _paml_files(folder) if _is_paml(folder) else [folder / XPERSONA]


def _grouped(begin: str, where: Path | str, examples: list[Example]) -> Personas:
    """The personas of a file, each of enough dialogues, by names that begin so."""
    whole = [its for its in grouped([example["persona"] for example in examples]) if len(its) >= LEAST]
    if not whole:
        mend = f"no {LEAST} of its {len(examples)} dialogues are of one persona; name another file"
        raise bad(where, "the number of personas", 0, mend)
    width = len(str(len(whole) - 1))
    return {f"{begin}_{number:0{width}}": [examples[place] for place in its] for number, its in enumerate(whole)}


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
