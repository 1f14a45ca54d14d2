"""Dialogues from grammars: shared ways of talking, what is divided, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from harness.base.errors import UserError
from harness.data.grammar import Grammar
from harness.data.talk import conversation

ASKED = ["Who are you?", "What are you?", "And you?", "Your job?"]
GUESSED = ["Are you {guess}?", "You are {guess}.", "Surely {guess}?", "Maybe {guess}?"]
BASE: dict[str, Any] = {
    "words": {"jobs": ["a cook", {"base": "a nurse", "at": "at a hospital"}, "a clerk"]},
    "talk": {
        "persona": ["I am {own_jobs}."],
        "count": [1, 2],
        "openings": [{"turns": [["Hi.", "Hello.", "Hey.", "Ho."], ["Good day."]]}],
        "exchanges": [
            {"about": "job", "turns": [ASKED, ["I am {own_jobs}."]]},
            {
                "about": "job",
                "bind": {"guess": "jobs"},
                "other": {"guess": "own_jobs"},
                "turns": [GUESSED, ["No, I am {own_jobs}."]],
            },
            {"turns": [["So?", "Well?", "Now?", "Then?"], ["So."], ["Why?", "Really?", "Oh?", "What?"], ["Yes."]]},
        ],
    },
}


def write(folder: Path, own: dict[str, Any], base: dict[str, Any] = BASE) -> Path:
    (folder / "shared").mkdir(exist_ok=True)
    (folder / "shared" / "talk.yaml").write_text(yaml.safe_dump(base))
    (folder / "anna.yaml").write_text(yaml.safe_dump({"base": "shared/talk.yaml"} | own))
    return folder / "anna.yaml"


def turns(grammar: Grammar, part: Any, count: int = 60) -> list[list[list[str]]]:
    rng = Random(0)
    return [conversation(grammar, rng, part)[1] for _ in range(count)]


def test_a_speaker_talks_as_the_base_says_of_what_is_her_own(tmp_path: Path) -> None:
    grammar = Grammar.load(write(tmp_path, {"own": {"jobs": "a nurse"}}))
    persona, said = conversation(grammar, Random(1), "train")
    assert persona == ["I am a nurse."]
    assert said[0][1] == "Good day."
    assert all(len(pair) == 2 for pair in said)


def test_partners_turns_are_divided_and_replies_are_not(tmp_path: Path) -> None:
    grammar = Grammar.load(write(tmp_path, {"own": {"jobs": "a nurse"}}))
    asked = {
        part: {pair[0] for dialogue in turns(grammar, part) for pair in dialogue} for part in ("train", "dev", "test")
    }
    assert not asked["train"] & asked["test"]
    assert not asked["dev"] & asked["test"]
    assert "Your job?" in asked["test"]
    replies = [{pair[1] for dialogue in turns(grammar, part) for pair in dialogue} for part in ("train", "test")]
    assert replies[0] == replies[1]


def test_a_dialogue_has_one_exchange_about_a_thing_and_a_wrong_guess_is_wrong(tmp_path: Path) -> None:
    grammar = Grammar.load(write(tmp_path, {"own": {"jobs": "a nurse"}}))
    guessed = set()
    for dialogue in turns(grammar, "train"):
        about = [partner for partner, reply in dialogue if "nurse" in reply]
        assert len(about) <= 1
        guessed |= {partner for partner in about if partner not in ASKED}
    assert guessed
    assert not any("nurse" in partner for partner in guessed)


def test_own_keys_replace_those_of_the_base(tmp_path: Path) -> None:
    own = {"own": {"jobs": "a cook"}, "words": {"jobs": ["a cook", "a smith"]}}
    assert {forms["base"] for forms in Grammar.load(write(tmp_path, own)).words["jobs"]} == {"a cook", "a smith"}


Spoil = Callable[[dict[str, Any]], Any]
FAULTS: dict[str, tuple[dict[str, Any], Spoil, str]] = {
    "no such list": ({"own": {"job": "a nurse"}}, lambda _: None, "own is 'job'; there is no such list under words"),
    "no such entry": ({"own": {"jobs": "a smith"}}, lambda _: None, "own.jobs is 'a smith'; .* one of a cook, a nurse"),
    "nothing of one's own": ({}, lambda _: None, "a slot is .*own_jobs"),
    "no exchange": ({}, lambda talk: talk.update(exchanges=[]), "talk.exchanges"),
    "turns without a reply": ({}, lambda talk: talk["exchanges"][0]["turns"].pop(), "turns by turns, .* a reply last"),
    "too few alternatives": ({}, lambda talk: talk["exchanges"][0]["turns"][0].pop(), "give at least 4 alternatives"),
    "a count that is no range": ({}, lambda talk: talk.update(count=[3, 2]), "the fewest exchanges and the most"),
    "a binding of no list": ({}, lambda talk: talk["exchanges"][1]["bind"].update(guess="job"), "bind is 'job'"),
    "other than what is not bound": ({}, lambda talk: talk["exchanges"][1].update(other={"x": "jobs"}), "other is 'x'"),
    "other than no list": ({}, lambda talk: talk["exchanges"][1].update(other={"guess": "x"}), "other.guess is 'x'"),
    "an unknown key": ({}, lambda talk: talk.update(exchange=[]), "exchange"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_grammar_that_cannot_talk_is_refused(fault: str, tmp_path: Path) -> None:
    own, spoil, told = FAULTS[fault]
    base = yaml.safe_load(yaml.safe_dump(BASE))
    spoil(base["talk"])
    whole = own if own or fault.startswith("nothing") else {"own": {"jobs": "a nurse"}}
    with pytest.raises(UserError, match=told):
        Grammar.load(write(tmp_path, whole, base))


def test_a_wrong_guess_needs_another_entry(tmp_path: Path) -> None:
    base = yaml.safe_load(yaml.safe_dump(BASE))
    base["words"]["jobs"] = ["a nurse"]
    base["talk"]["exchanges"] = base["talk"]["exchanges"][1:2]
    grammar = Grammar.load(write(tmp_path, {"own": {"jobs": "a nurse"}}, base))
    with pytest.raises(UserError, match="the lists hold nothing else; add an entry"):
        conversation(grammar, Random(0), "train")


def test_a_grammar_without_talk_makes_no_dialogue() -> None:
    with pytest.raises(UserError, match="talk is None; a dialogue is made of it"):
        conversation(Grammar({"words": {"a": ["b"]}}, "a.yaml"), Random(0), "train")
