"""YAML as it is written: `no` is Norwegian, 010 is no 8, and a sentence names the line at fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.base.errors import UserError, bad
from harness.base.lines import Layers
from harness.base.yaml_file import Odd, read_value, read_yaml
from harness.cli.main import main
from harness.contracts.config import read_config
from harness.contracts.method import MethodSpec
from harness.contracts.model import Strict, validate
from harness.plan import entry
from tests import project as use
from tests.project import CONFIG

TEXTS = ["no", "No", "NO", "yes", "on", "off", "y", "n", "2020-01-01", "1.2.3", "=", "1:30", "0o10", "010", "1_000"]
NUMBERS = {"1e-3": 1e-3, "1E5": 1e5, "1.0e-3": 1e-3, ".5": 0.5, "5.": 5.0, "-3": -3, "+4": 4, "0": 0, "12e03": 12e3}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_stays_as_it_is_written(text: str) -> None:
    assert read_value(f"{text}: {text}", "f") == {text: text}
    assert isinstance(read_value(f"a: {text}", "f")["a"], str)


@pytest.mark.parametrize("text", NUMBERS)
def test_a_decimal_number_is_a_number(text: str) -> None:
    value = read_value(f"a: {text}", "f")["a"]
    assert (value, type(value)) == (NUMBERS[text], type(NUMBERS[text]))


@pytest.mark.parametrize("key", ["1", "1.5", "null", "~", "true", "-3"])
def test_a_key_is_always_a_text(key: str) -> None:
    assert read_value(f"{{{key}: 1}}", "f") == {key: 1}


def test_only_true_false_and_null_are_more_than_texts_and_numbers() -> None:
    assert read_value("[true, TRUE, False, null, ~, ]", "f") == [True, True, False, None, None]
    assert read_value("{a: }", "f") == {"a": None}


def test_anchors_and_merge_keys_work() -> None:
    assert read_value("{x: &x {a: 1, b: 2}, y: {<<: *x, b: 3}, z: *x}", "f")["y"] == {"a": 1, "b": 3}


def _named(content: Any) -> Any:
    """What YAML 1.1 reads, with the key `on` of a claim, which it takes for a truth value."""
    if isinstance(content, list):
        return [_named(value) for value in content]
    if not isinstance(content, dict):
        return content
    return {"on" if key is True else key: _named(value) for key, value in content.items()}


def test_the_projects_own_files_say_the_same_to_every_reader() -> None:
    """No file that comes with the project is read in another way than by YAML 1.1, so no number has moved."""
    files = [path for part in ("config", "methods", "tasks", "papers") for path in (use.ROOT / part).rglob("*.yaml")]
    assert len(files) > 50
    for file in files:
        assert read_yaml(file) == _named(yaml.safe_load(file.read_text(encoding="utf-8"))), file


def test_what_is_written_again_is_read_again() -> None:
    content = read_value("{a: [no, 010, 1_000, 1:30], no: 1}", "f")
    assert yaml.safe_load(yaml.safe_dump(content)) == content
    assert read_value(yaml.safe_dump(content), "f") == content


BROKEN = [
    ("a:\n\tb: 1", 2, "indent with spaces"),
    ("a: 1\nb: *fr", 2, "begins with * in quotes"),
    ("a: @x", 1, "this character in quotes"),
    ("a: {x} y", 1, "begins with a bracket"),
    ("a: {x", 1, "close the bracket"),
    ("a: b: c", 1, "a colon in quotes"),
    ("a: !foo x", 1, "begins with ! in quotes"),
    ("a: !!int x", 1, "remove it"),
    ("a: > x", 1, "begins with > or |"),
    ("a: &a\n  b: *a\n", 2, "write out what is meant"),
    ("{{x}}: y", 1, "write a text"),
    ("a: 'x", 1, "close the quotes"),
    ("a: 1\n---\nb: 2", 2, "one document"),
    ("a: 1\nb: \x01", 2, "remove the character"),
    ("1: a\n'1': b", 2, "stands twice"),
]


@pytest.mark.parametrize(("text", "line", "hint"), BROKEN, ids=[hint for _, _, hint in BROKEN])
def test_broken_yaml_is_told_with_its_line(text: str, line: int, hint: str) -> None:
    with pytest.raises(UserError) as told:
        read_value(text, "f.yaml")
    assert str(told.value).startswith(f"f.yaml: line {line}: ")
    assert hint in str(told.value)


class Sample(Strict):
    """One field of each kind."""

    whole: int = 0
    rate: float = 0.0
    name: str = ""
    truth: bool = False
    items: list[int] = []
    some: list[str] | None = None
    anything: Any = None


MISREAD = [
    ("whole: 010", "whole is '010'", "as 10"),
    ("whole: 1_000", "whole is '1_000'", "as 1000"),
    ("whole: '3'", "whole is '3'", "as 3"),
    ("whole: 0o10", "whole is '0o10'", "write a decimal number"),
    ("whole: 1:30", "whole is '1:30'", "write a decimal number"),
    ("whole: yes", "whole is 'yes'", "write a decimal number"),
    ("whole: true", "whole is True", "write a number"),
    ("whole: 2020-01-01", "whole is '2020-01-01'", "valid integer"),
    ("rate: 0x1F", "rate is '0x1F'", "write a decimal number"),
    ("rate: '1e-3'", "rate is '1e-3'", "as 0.001"),
    ("name: null", "name is None", "put it in quotes"),
    ("name: ~", "name is None", "put it in quotes"),
    ("name: true", "name is True", "put it in quotes"),
    ("name: 3", "name is 3", "put it in quotes"),
    ("items: 4", "items is 4", "write [4]"),
    ("items: [1, 010]", "items.1 is '010'", "as 10"),
    ("some: majority", "some is 'majority'", "write [majority]"),
    ("anything: no", "anything is 'no'", "put it in quotes"),
    ("anything: {a: [1_000]}", "anything.a.0 is '1_000'", "a decimal number"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value", "mend"), MISREAD, ids=[text for text, _, _ in MISREAD])
def test_what_could_be_read_in_two_ways_is_refused(text: str, value: str, mend: str, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(f"# the first line\n{text}\n")
    with pytest.raises(UserError) as told:
        validate(Sample, read_yaml(file), file)
    assert f"f.yaml: line 2: {value}; " in str(told.value)
    assert mend in str(told.value)


@pytest.mark.parametrize("text", ["name: no", "name: 010", "truth: yes", "anything: 'no'", "rate: 1e-3", "some: [on]"])
def test_what_can_be_read_in_one_way_is_read(text: str) -> None:
    read = validate(Sample, read_value(text, "f"), "f")
    assert not any(isinstance(value, Odd) for value in read.model_dump().values())


def test_a_method_may_be_called_no() -> None:
    spec = validate(MethodSpec, read_value("{label: no, summary: off, adapt: finetune}", "f"), "f")
    assert (spec.label, spec.summary) == ("no", "off")


LINES = """\
first: 1
list:
  - a
  - b: &b {deep: 2}
map:
  dotted.key: {x: 3}
  merged:
    <<: *b
    own: 4
frames: ["{a} b", "x y"]
"""
PLACES = [
    ("first", 1, 1), ("list", ["a"], 2), ("list", "a", 3), ("list.1.b.deep", 2, 4), ("list.1.b", None, 4),
    ("map.dotted.key.x", 3, 6), ("map", "merged", 7), ("map.merged.own", 4, 9), ("map.merged.deep", 2, 4),
    ("map.merged.absent", None, 7), ("map.merged: the thing", 1, 7), ("a frame", "x y", 10), ("absent", None, None),
    ("list", 7, 2),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "line"), PLACES, ids=[field for field, _, _ in PLACES])
def test_a_sentence_names_the_line(field: str, value: object, line: int | None, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(LINES)
    told = str(bad(file, field, value, "mend it"))
    assert told.startswith(f"{file}: line {line}: {field}" if line else f"{file}: {field}")


def test_the_place_is_the_one_that_says_the_field() -> None:
    base, own = {"a": {"x": 1, "y": [3]}}, {"a": {"x": 2}, "b": {}}
    places = Layers([("base.yaml", base), ("own.yaml", own)], [("--config", {"a": {"z": 1}})])
    assert places.of("a.x") == "own.yaml"
    assert places.of("a.y.0") == "base.yaml"
    assert places.of("a.z") == "--config"
    assert places.of("a.absent") == "own.yaml"
    assert places.of("absent") == "own.yaml"


def test_what_a_file_extends_is_named_for_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    use.config(seeds=[0, "010"])(tmp_path)
    Path("more.yaml").write_text(f"extends: {CONFIG}\nmethods: [lora]\n")
    with pytest.raises(UserError, match=r"^run.yaml: line 4: seeds.1 is '010'"):
        entry.make_plan("more.yaml")
    Path("more.yaml").write_text(f"extends: {CONFIG}\nseeds: [0]\nmethods: [lorra]\n")
    with pytest.raises(UserError, match=r"^more.yaml: line 3: methods is 'lorra'"):
        entry.make_plan("more.yaml")


def test_changes_reach_into_mappings_as_snakemakes_do(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{m: {x: 1, no: 2}, s: 1}")
    (tmp_path / "b.yaml").write_text("{extends: c.yaml, m: {x: 3}}")
    (tmp_path / "c.yaml").write_text("{m: {w: 9}, t: 5, u: {p: 1, q: 2}}")
    words = ["m={'off': 010, y: 1e-3}", "u={p: 3}", "new=[0, 1]", "empty="]
    content, places = read_config([tmp_path / "a.yaml", tmp_path / "b.yaml"], words)
    assert content == {
        "m": {"x": 3, "no": 2, "off": "010", "y": 1e-3}, "s": 1, "t": 5, "u": {"p": 3, "q": 2}, "new": [0, 1],
        "empty": None,
    }  # fmt: skip
    assert places.of("m.no") == str(tmp_path / "a.yaml")
    assert places.of("u.q") == str(tmp_path / "c.yaml")
    assert places.of("u.p") == "--config u={p: 3}"


def test_norwegian_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    use.ner_data(tmp_path)
    (tmp_path / "data" / "wikiann" / "nl").rename(tmp_path / "data" / "wikiann" / "no")
    use.edit(CONFIG, "nl: meta_test", "no: meta_test")(tmp_path)
    assert main(["check", "--configfile", CONFIG]) == 0
    assert entry.make_plan(CONFIG).tasks["wikiann"].domains == ["no"]
