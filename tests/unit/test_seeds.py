"""Seeds and fingerprints are the same on every machine and in every version: these values never change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.base.fingerprint import fingerprint, hash_file, hash_files
from harness.base.seeds import derive, generator
from harness.data.splits import few

ROOT = Path(__file__).parents[2]
TRAIN = [{"id": str(number)} for number in range(20)]


@pytest.mark.parametrize(
    ("names", "seed"),
    [
        (("init", "wikiann", "nl", 8, 0), 3759936280155004731),
        (("order", "wikiann", "nl", 8, 0), 2504948715919992441),
        (("split", "wikiann", "nl", 0), 7724816098307981159),
    ],
)
def test_golden_seeds(names: tuple[str | int, ...], seed: int) -> None:
    assert derive(str(names[0]), *names[1:]) == seed


def test_golden_split() -> None:
    assert [example["id"] for example in few(TRAIN, 5, "wikiann", "nl", 0)] == ["5", "6", "19", "11", "4"]


def test_golden_fingerprints(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("y")
    assert fingerprint({"b": [1, 2.5, None, True], "a": "ü"}) == "5cffe7b225626127"
    assert hash_file(tmp_path / "a") == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert hash_files([tmp_path / "b", tmp_path / "a"], tmp_path) == "5d5d2bd2a5ba6af1"


def test_axes_and_names_do_not_run_together() -> None:
    seeds = [derive("a", "b", "c"), derive("ab", "c"), derive("a", "bc"), derive("a", "c", "b"), derive("b", "a", "c")]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_key_order_does_not_matter_and_values_do() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    different = [fingerprint(value) for value in ({"a": 1}, {"a": "1"}, {"a": 1.5}, {"a": None}, {"b": 1}, [1], [[1]])]
    assert len(set(different)) == len(different)


def test_a_files_name_and_content_count_but_not_its_place(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a").write_text("x")
    first, second = (hash_files([tmp_path / name / "a"], tmp_path / name) for name in ("one", "two"))
    assert first == second
    (tmp_path / "two" / "a").rename(tmp_path / "two" / "b")
    assert hash_files([tmp_path / "two" / "b"], tmp_path / "two") != first


def test_splits_are_nested_and_differ_by_seed() -> None:
    large = few(TRAIN, 10, "t", "d", 1)
    assert few(TRAIN, 4, "t", "d", 1) == large[:4]
    assert few(TRAIN, 10, "t", "d", 2) != large
    assert few(TRAIN, 10, "t", "other", 1) != large


def test_drawing_for_one_thing_leaves_the_others() -> None:
    alone = generator("order", 1).random()
    generator("order", 2).random()
    assert generator("order", 1).random() == alone


def test_another_process_with_another_hash_seed_agrees() -> None:
    program = "from harness.base.seeds import derive, generator; print(derive('a', 'b', 1), generator('a').random())"
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {f"{derive('a', 'b', 1)} {generator('a').random()}\n"}
