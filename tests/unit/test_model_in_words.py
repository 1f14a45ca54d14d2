"""Every table says the checkpoint: type, size, where it is from, commit and hash."""

from __future__ import annotations

import json

import pytest

from harness.table.model import UNKNOWN, in_words, models_in_words, parameters_in_words
from tests.unit.made_records import MODEL


@pytest.mark.parametrize(
    ("count", "words"),
    [(12, "12"), (999, "999"), (999_499, "999k"), (999_600, "1.00M"), (22_713_216, "22.7M"), (1_235_814_400, "1.24B")],
)
def test_sizes_have_three_digits(count: int, words: str) -> None:
    assert parameters_in_words(count) == words


def test_a_checkpoint_in_words() -> None:
    assert in_words(MODEL) == "bert, 22.7M parameters, mini, weights ffffffffff"
    hub = MODEL | {"source": "hub", "from": "someone/model", "revision": "c" * 40}
    assert in_words(hub) == "bert, 22.7M parameters, someone/model at cccccccccc, weights ffffffffff"


def test_all_checkpoints_of_a_task_are_named_and_none_is_made_up() -> None:
    other = MODEL | {"from": "another"}
    both = models_in_words([json.dumps(MODEL), None, json.dumps(other), json.dumps(MODEL)])
    assert both == f"{in_words(other)}; {in_words(MODEL)}"
    assert models_in_words([None, float("nan")]) == UNKNOWN
