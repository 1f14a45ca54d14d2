"""The generator of embedded sources: what it renders, what it divides, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest
import yaml

from harness.base.errors import UserError
from harness.contracts.task import Sizes
from harness.data.embedded import generate
from harness.data.grammar import Grammar, Part, divide

FRAMES = ["{PER} saw {LOC} .", "in {LOC} lives {PER} .", "{PER} left {LOC} .", "{PER} likes {LOC} ."]
NAMES: dict[str, Any] = {"PER": [f"P{number}" for number in range(16)], "LOC": [f"L{number}" for number in range(16)]}
SMALL: dict[str, Any] = {"words": {"day": ["today", "now"]}, "entities": NAMES, "frames": FRAMES}
PARTS = get_args(Part)


def grammar(**changes: Any) -> Grammar:
    return Grammar(SMALL | changes, "g.yaml")


def story(document: list[Any], bind: Mapping[str, str], summary: list[str] | None = None, **changes: Any) -> Grammar:
    scenario = {"document": document, "bind": dict(bind)} | ({"summary": summary} if summary else {})
    return grammar(frames=[], scenarios=[scenario], **changes)


def four(frame: str) -> list[str]:
    """Four alternatives, the fewest that can be divided."""
    return [f"{frame} {number}" for number in range(4)]


def test_parts_divide_what_is_divided() -> None:
    items = list(range(80))
    parts = {part: set(divide(items, part)) for part in PARTS}
    assert parts["train"] | parts["dev"] | parts["test"] == set(items)
    assert not parts["train"] & parts["test"]
    assert not parts["train"] & parts["dev"]
    assert not parts["dev"] & parts["test"]
    assert parts["unlabeled"] == set(items)
    assert [len(parts[part]) for part in ("train", "dev", "test")] == [50, 10, 20]


@pytest.mark.parametrize("size", range(4, 12))
def test_every_part_of_a_short_list_has_something(size: int) -> None:
    for part in PARTS:
        assert divide(list(range(size)), part)


def test_a_sentence_keeps_its_slots() -> None:
    for part in PARTS:
        segments = grammar().sentence(Random(1), part)
        slots = {segment.slot: segment.text for segment in segments if segment.slot}
        assert set(slots) == {"PER", "LOC"}
        assert slots["PER"] in divide(NAMES["PER"], part)
        assert slots["LOC"] in divide(NAMES["LOC"], part)


def test_the_same_seed_gives_the_same_sentence() -> None:
    assert grammar().sentence(Random(3), "train") == grammar().sentence(Random(3), "train")


def test_a_sentence_begins_with_a_capital() -> None:
    texts = ["".join(s.text for s in grammar().sentence(Random(seed), "unlabeled")) for seed in range(40)]
    assert all(text[0].isupper() for text in texts)
    assert any(text.startswith("In L") for text in texts)


def test_a_form_is_of_the_same_entry() -> None:
    places = [{"base": f"L{number}", "in": f"L{number}ssa"} for number in range(8)]
    made = grammar(entities=NAMES | {"LOC": places}, frames=four("{LOC.in}"))
    (slot,) = [s for s in made.sentence(Random(0), "train") if s.slot]
    assert slot.text in {place["in"] for place in divide(places, "train")}


def test_a_slot_inside_an_entry_is_drawn_once_for_all_its_forms() -> None:
    clubs = [{"base": "FC {LOC}", "of": "FC {LOC}'s", "old": "{LOC} United"}]
    made = story([four("{A} {A.of} {A.old}")], {"A": "club"}, words={"club": clubs})
    for seed in range(20):
        text = made.document(Random(seed), "train")[0][0]
        assert len({word.removesuffix("'s") for word in text.split() if word.startswith("L")}) == 1


def test_bindings_hold_through_a_document_and_its_summary() -> None:
    made = story([four("{A} met {B}"), four("{B} thanked {A}")], {"A": "PER", "B": "PER"}, ["{A} and {B}"])
    for seed in range(20):
        (first, second), summary = made.document(Random(seed), "train")
        one, _, other, _ = first.split()
        assert one != other
        assert second.split()[:3] == [other, "thanked", one]
        assert summary == f"{one} and {other}"


def test_a_place_may_be_left_out() -> None:
    place = {"chance": 0.5, "frames": four("maybe")}
    lengths = {len(story([four("always"), place], {}).document(Random(seed), "train")[0]) for seed in range(40)}
    assert lengths == {1, 2}


def test_without_a_summary_there_is_none() -> None:
    assert story([four("a")], {}).document(Random(0), "train")[1] is None


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown key", {"frame": []}, "frame", "did you mean 'frames'"),
    ("wrong type", {"frames": "x"}, "frames", "list"),
    ("a frame is a number", {"frames": [1, 2, 3, 4]}, "frames.0", "string"),
    ("a word is a truth value", {"words": {"answer": [True]}}, "words.answer.0", "string"),
    ("no base", {"words": {"day": [{"in": "x"}]}}, "an entry", "add the form `base`"),
    ("too few frames", {"frames": ["a"]}, "a list of frames", "at least 4"),
    ("too few entities", {"entities": NAMES | {"ORG": ["a"]}}, "entities.ORG", "needs 4"),
    ("words and entities", {"words": {"PER": ["x"]}}, "a list name", "not both"),
    ("unknown slot", {"frames": four("{ORG}")}, "a slot", "name a list"),
    ("unknown slot in an entry", {"words": {"x": ["{ORG}"]}}, "a slot", "name a list"),
    ("unknown form", {"frames": four("{PER.in}")}, "a slot of", "add the form 'in' to 'P0'"),
    ("half a slot", {"frames": four("{PER")}, "a frame", "write slots as"),
    ("unknown list", {"scenarios": [{"bind": {"A": "x"}, "document": [four("a")]}]}, "bind", "name a list"),
    ("scenario key", {"scenarios": [{"documents": []}]}, "scenarios.0", "document"),
    ("chance", {"scenarios": [{"document": [{"chance": 2, "frames": four("a")}]}]}, "chance", "less than or equal"),
]


@pytest.mark.parametrize(("name", "changes", "field", "mend"), REFUSED, ids=lambda value: str(value)[:20])
def test_refused(name: str, changes: dict[str, Any], field: str, mend: str) -> None:
    with pytest.raises(UserError) as refused:
        grammar(**changes)
    told = str(refused.value)
    assert told.startswith("g.yaml: ")
    assert field in told
    assert mend in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("content", "field"),
    [("frames: [", "the YAML"), ("- a", "the file"), ("", "the file"), ("words: {}\nwords: {}\n", "'words'")],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: str, field: str) -> None:
    (tmp_path / "g.yaml").write_text(content)
    with pytest.raises(UserError, match=field):
        Grammar.load(tmp_path / "g.yaml")


def made(folder: Path, sizes: Sizes) -> dict[str, list[dict[str, Any]]]:
    (folder / "g.yaml").write_text(yaml.safe_dump(SMALL))

    def draw(of: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        return {"text": "".join(segment.text for segment in of.sentence(rng, part))}

    return generate(folder / "g.yaml", "t", "d", sizes, draw, lambda row: row["text"])


def test_generated_splits_are_distinct_and_numbered(tmp_path: Path) -> None:
    splits = made(tmp_path, Sizes(train=50, dev=4, test=10, unlabeled=60))
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 50, "dev": 4, "test": 10, "unlabeled": 60}
    assert [row["id"] for row in splits["test"]] == [f"d-test-{number}" for number in range(10)]
    texts = {name: {row["text"] for row in rows} for name, rows in splits.items()}
    assert all(len(texts[name]) == len(rows) for name, rows in splits.items())
    assert not texts["unlabeled"] & (texts["test"] | texts["dev"])


def test_a_larger_split_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    small = made(tmp_path, Sizes(train=20, dev=4, test=10))
    large = made(tmp_path, Sizes(train=50, dev=4, test=10))
    assert large["train"][:20] == small["train"]
    assert (large["dev"], large["test"]) == (small["dev"], small["test"])


def test_a_grammar_that_is_too_small_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sizes\.test is 4000; the grammar makes only \d+ distinct examples"):
        made(tmp_path, Sizes(train=1, dev=1, test=4000))


def test_a_domain_without_a_grammar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml: the domain is 'd'; write its grammar"):
        generate(tmp_path / "nothing.yaml", "t", "d", Sizes(train=1, dev=1, test=1), lambda *_: {}, str)
