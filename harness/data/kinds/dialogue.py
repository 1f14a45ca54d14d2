"""Dialogue: what a speaker with a persona answers to a partner, turn by turn."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal

from harness.base.errors import bad
from harness.base.lines import Where
from harness.contracts.method import Kind
from harness.contracts.reader import Tagging
from harness.contracts.task import TaskSpec
from harness.data.generation import Generation
from harness.data.grammar import Grammar, Part
from harness.data.kinds import IGNORED
from harness.data.rows import RowFault, list_of, prose_of
from harness.data.talk import conversation
from harness.data.task import Example, Features, Task

PERSONA, PARTNER, OWN = "about me:", "them:", "me:"  # what begins the persona, and each turn
GENERATED: dict[str, Literal["max", "min"]] = {
    "bleu": "max", "distinct1": "max", "distinct2": "max", "copied": "min"
}  # fmt: skip
DECODING = Generation(num_beams=5)  # Hou et al. (2022), Table 1


class Dialogue(Task):
    """Examples are {id, turns}, and `persona`, a list of sentences, where it is known.

    `turns` are [partner's turn, reply] one after another; each reply is predicted from all that was said before, and
    from the persona where task.yaml says `persona: read`. k counts dialogues, all of whose replies are learned from.
    """

    kind: ClassVar[Kind] = "dialogue"
    fields: ClassVar[tuple[str, ...]] = ("turns",)
    inputs: ClassVar[tuple[str, ...]] = ("turns",)
    optional: ClassVar[tuple[str, ...]] = ("persona",)
    options: ClassVar[tuple[str, ...]] = ("c_score",)
    generates: ClassVar[bool] = True
    scores: ClassVar[dict[str, Literal["max", "min"]]] = {"perplexity": "min", **GENERATED}
    sample: ClassVar[Example] = {
        "persona": ["I live in Rome ."], "turns": [["Hello , where do you live ?", "I live in Rome ."]],
    }  # fmt: skip

    model: Kind = "causal-lm"  # the kind of the model that reads the task

    def __init__(self, spec: TaskSpec, folder: Path) -> None:
        self.generation = DECODING if spec.generates else None
        super().__init__(spec, folder)

    def check(self) -> None:
        """Raise UserError where the task is ranked by what it does not generate."""
        super().check()
        if self.spec.metric in GENERATED and not self.spec.generates:
            mend = "it is of texts that are generated; write `generates: true`, or rank by perplexity"
            raise bad(self.folder / "task.yaml", "metric", self.spec.metric, mend)

    def check_metrics(self, options: Mapping[str, Any], where: Where, field: str) -> None:
        """Raise UserError too where replies are to be judged that are not generated."""
        super().check_metrics(options, where, field)
        if (judge := options.get("c_score")) and not self.spec.generates:
            mend = "it judges replies that are generated; write `generates: true` beside it"
            raise bad(where, f"{field}.c_score.model", judge.model, mend)

    def check_scored(self, domain: str, examples: list[Example]) -> None:
        """Raise UserError where a judge has no persona to judge a reply by."""
        for example in examples if self.spec.metrics.c_score else ():
            if not example.get("persona"):
                mend = "`metrics: {c_score: ...}` judges replies by it; give the dialogue one, or remove the metric"
                raise bad(f"{self.folder.name}: {example['id']}", "the persona", example.get("persona"), mend)

    @property
    def measured(self) -> list[str]:
        """C-score cannot rank, since it needs a model that the run names."""
        return [*super().measured, "c_score"]

    def read_by(self, model: Kind) -> Task:
        """The task for a decoder alone, or for an encoder and a decoder."""
        found = copy.copy(self)
        found.model = model
        return found

    def text(self, example: Example) -> str:
        """The dialogue as a decoder reads it, after the persona where that is read."""
        return " ".join([*self._about(example), *_said(example["turns"])])

    def texts(self, example: Example) -> list[str]:
        """Each reply after all that was said before."""
        turns = example["turns"]
        return [" ".join([*self._about(example), *_said(turns[: at + 1])]) for at in range(len(turns))]

    def draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        """A dialogue of the grammar's speaker."""
        persona, turns = conversation(grammar, rng, part)
        return ({"persona": persona} if persona else {}) | {"turns": turns}

    def from_row(self, row: dict[str, Any], tagging: Tagging) -> dict[str, Any]:
        """Turns are pairs, or texts by turns, or the lines of a text; a persona is sentences, or the lines of one."""
        example: dict[str, Any] = {}
        if "persona" in row:
            example["persona"] = [_one_line("persona", its, at) for at, its in _listed("persona", row["persona"])]
        found = _listed("turns", row["turns"])
        if any(not isinstance(its, (list, tuple)) for _, its in found):
            if len(found) % 2:
                raise RowFault("turns", found[-1][1], "the last turn has no reply; add one, or remove it")
            said = [_one_line("turns", its, at) for at, its in found]
            return example | {"turns": [list(pair) for pair in zip(said[::2], said[1::2], strict=True)]}
        for at, pair in found:
            if len(pair) != 2:
                mend = f"it is a list of {len(pair)}; write a pair, the partner's turn and the reply"
                raise RowFault("turns", pair, mend, at)
        return example | {"turns": [[_one_line("turns", its, at) for its in pair] for at, pair in found]}

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """A window for each reply; of too long a history the oldest tokens are cut, never the persona or the reply.

        A decoder reads the start sign, persona, history and reply in one text of at most `max_length` tokens, and
        learns the reply and its end sign. Of an encoder and a decoder the former reads persona and history.
        `scored` says which labels a perplexity counts: those of the reply and its end, no sign before it. Where replies
        are generated, `asked` is what a decoder goes on from, with room for `target_length` tokens behind it.
        """
        return [
            [self._window(self._about(example), example["turns"][: at + 1], tokenizer, max_length, target_length)
             for at in range(len(example["turns"]))]
            for example in examples
        ]  # fmt: skip

    def _about(self, example: Example) -> list[str]:
        """The persona as it is read; nothing where it is hidden or not known."""
        persona = example.get("persona") if self.spec.persona == "read" else None
        return [PERSONA, *persona] if persona else []

    def _window(
        self, about: list[str], turns: list[list[str]], tokenizer: Any, max_length: int, target_length: int
    ) -> Features:
        """One reply with what it is predicted from."""
        history, reply = [*_said(turns[:-1]), f"{PARTNER} {turns[-1][0]}"], turns[-1][1]
        alone = self.model != "summarization"
        answer, signs = _answer(reply, tokenizer, alone)
        self._check_length("target_length", target_length, len(answer), reply)
        before, after = _around(tokenizer, alone)
        first, said = [*before, *_ids(" ".join(about), tokenizer)], _ids(" ".join(history), tokenizer)
        room = max_length - len(first) - len(after) - (len(answer) if alone else 0)
        self._check_length("max_length", max_length, max_length - room + 1, reply)
        read = [*first, *said[max(0, len(said) - room) :], *after]
        if not alone:
            return {"input_ids": read, "labels": answer, "scored": [place >= signs for place in range(len(answer))]}
        labels = [*[IGNORED] * len(read), *answer]
        row: Features = {
            "input_ids": [*read, *answer],
            "labels": labels,
            "scored": [label != IGNORED for label in labels],
        }
        if self.generation is None:
            return row
        room = max_length - target_length - len(first) - len(after)
        self._check_length("max_length", max_length, max_length - room + 1, "that is generated")
        return row | {"asked": [*first, *said[max(0, len(said) - room) :], *after]}

    def _check_length(self, field: str, longest: int, needed: int, reply: str) -> None:
        if needed > longest:
            shown = reply if len(reply) <= 40 else f"{reply[:40]}..."
            mend = f"the reply {shown!r} needs {needed} tokens and is never cut; raise it, or leave that dialogue out"
            raise bad(self.folder / "task.yaml", field, longest, mend)


def _said(turns: list[list[str]]) -> list[str]:
    """Turns with what begins each."""
    return [f"{who} {said}" for turn in turns for who, said in zip((PARTNER, OWN), turn, strict=True)]


def _ids(text: str, tokenizer: Any) -> list[int]:
    found: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] if text else []
    return found


def _answer(reply: str, tokenizer: Any, alone: bool) -> tuple[list[int], int]:
    """The tokens of a reply with its end sign, and how many signs come before it where an encoder has read the rest."""
    plain = _ids(reply, tokenizer)
    if alone:
        return [*plain, tokenizer.eos_token_id], 0
    whole: list[int] = tokenizer(text_target=reply, verbose=False)["input_ids"]
    return whole, whole.index(plain[0]) if plain else 0


def _around(tokenizer: Any, alone: bool) -> tuple[list[int], list[int]]:
    """What stands before and after persona and history: a decoder is told that it is its turn."""
    if alone:
        start = tokenizer.bos_token_id
        return [tokenizer.eos_token_id if start is None else start], _ids(OWN, tokenizer)
    plain, whole = _ids("a", tokenizer), tokenizer("a")["input_ids"]
    place = whole.index(plain[0])
    return whole[:place], whole[place + len(plain) :]


def _listed(field: str, value: Any) -> list[tuple[int, Any]]:
    """The items of a list, or the lines of a text, each with its place."""
    if isinstance(value, str):
        value = [line for line in value.splitlines() if line.strip()] or value
    return list(enumerate(list_of(field, value)))


def _one_line(field: str, value: Any, at: int) -> str:
    """One turn or sentence on one line; raises RowFault naming its place unless it is a text that shows something."""
    try:
        return prose_of(field, value) if isinstance(value, str) else prose_of(field, [value])
    except RowFault as fault:
        raise RowFault(field, fault.value, fault.mend, at) from None
