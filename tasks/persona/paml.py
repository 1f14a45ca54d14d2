r"""The files of Persona-Chat's own release, as PAML (Madotto et al., 2019) reads them.

    1 your persona: I mend clocks.
    2 your persona: I have two sisters.
    3 Good morning! What do you do?\tI mend clocks, and you?\t\tI am a cook.|I mend clocks, and you?

A line begins with its number in its dialogue. Behind the persona's sentences stand the turns, one a line: the partner's
turn, the reply, a reward, which is empty, and candidates, the reply among them. Who only learns replies needs the first
two; candidates are read to see that they and the reply belong together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.base.errors import bad
from harness.data.files import text_lines
from harness.data.rows import Row, visible

OWN, PARTNERS = "your persona:", "partner's persona:"
BETWEEN, CANDIDATE = "\t", "|"
MOST = 4  # fields of a turn: turn, reply, reward, candidates


@dataclass
class Talk:
    """A dialogue as far as it is read; `where` is its first line."""

    where: str
    persona: list[str] = field(default_factory=list)
    turns: list[list[str]] = field(default_factory=list)

    def row(self) -> Row:
        """The whole dialogue; raises UserError where it has no persona or no turn."""
        if not self.persona:
            mend = f"no line of its dialogue begins with {OWN!r}; take the files `*_self_original.txt`"
            raise bad(self.where, "the persona", self.persona, mend)
        if not self.turns:
            raise bad(self.where, "the turns", self.turns, "its dialogue has none; fetch the file again")
        return Row(self.where, {"persona": self.persona, "turns": self.turns})


def dialogues(file: Path) -> Iterator[Row]:
    """Every dialogue of the file, in its order; raises UserError naming the line and the field at fault."""
    talk, last = Talk(f"{file}: line 1"), 0
    for at, line in enumerate(text_lines(file), 1):
        where = f"{file}: line {at}"
        number, said = _numbered(where, line)
        if number == 1 and last:
            yield talk.row()
            talk = Talk(where)
        elif number != last + 1:
            mend = f"{last + 1} was to come, or 1 with the next dialogue; a line is missing, so fetch the file again"
            raise bad(where, "the number", number, mend)
        last = number
        if said.startswith(OWN):
            _add_sentence(where, talk, said.removeprefix(OWN).strip())
        else:
            talk.turns.append(_turn(where, said))
    yield talk.row()


def _numbered(where: str, line: str) -> tuple[int, str]:
    """The number of a line and what is said there."""
    number, space, said = line.strip(" ").partition(" ")
    if not space or not (number.isascii() and number.isdecimal()):
        mend = f"no number begins it; write `1 {OWN} a sentence`, or a number, the turn, a tab and the reply"
        raise bad(where, "the line", line, mend)
    return int(number), said


def _add_sentence(where: str, talk: Talk, sentence: str) -> None:
    if not visible(sentence):
        raise bad(where, "the persona's sentence", sentence, "it is empty; fill it or leave it out")
    if talk.turns:
        mend = "it stands behind turns; the number of a dialogue's first line is 1, so mend that"
        raise bad(where, "the persona's sentence", sentence, mend)
    talk.persona.append(sentence)


def _turn(where: str, said: str) -> list[str]:
    """The partner's turn and the reply."""
    if said.startswith(PARTNERS):
        raise bad(where, "the line", said, "it is of the partner's persona; take the files `*_self_original.txt`")
    fields = [its.strip() for its in said.split(BETWEEN)]
    if not 1 < len(fields) <= MOST:
        mend = f"it has {len(fields)} fields between tabs; write the turn, a tab, the reply, two tabs and candidates"
        raise bad(where, "the turn", said, mend)
    for name, text in zip(("the partner's turn", "the reply"), fields, strict=False):
        if not visible(text):
            raise bad(where, name, text, "it is empty; fill it, or leave the dialogue out")
    candidates = fields[-1].split(CANDIDATE) if len(fields) > 2 and fields[-1] else []
    if candidates and f"{CANDIDATE}{fields[1]}{CANDIDATE}" not in _framed(candidates):
        mend = "it is none of the candidates of its line; fields are mixed up, so fetch the file again"
        raise bad(where, "the reply", fields[1], mend)
    return fields[:2]


def _framed(candidates: list[str]) -> str:
    """Candidates with a sign before and behind each, so that a reply which holds the sign itself is found too."""
    return CANDIDATE.join(["", *(its.strip() for its in candidates), ""])
