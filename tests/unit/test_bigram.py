"""The bigram control: a distribution over the whole vocabulary, from the examples' own tokens."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.adaptation import TokenControl
from harness.contracts.discover import load_module, methods
from harness.data.kinds import IGNORED
from harness.plan.entry import make_plan
from tests import project as use
from tests.project import CONFIG

START, A, B, C, END = range(5)
VOCABULARY = 7


def module() -> Any:
    return load_module(methods()["bigram"].folder / "method.py")


def text(*tokens: int) -> list[dict[str, list[Any]]]:
    whole = [START, *tokens, END]
    return [{"input_ids": whole, "labels": [IGNORED, *whole[1:]]}]


def likelihood(control: TokenControl, train: list[list[dict[str, list[Any]]]], before: int, token: int) -> float:
    window = [{"input_ids": [before, token], "labels": [IGNORED, token]}]
    return math.exp(-control.predict_tokens(train, [window], VOCABULARY)[0]["nll"])


def test_every_row_sums_to_one() -> None:
    control = module().Bigram()
    for before in range(VOCABULARY):
        row = [likelihood(control, [text(A, B), text(A)], before, token) for token in range(VOCABULARY)]
        assert math.isclose(sum(row), 1)
        assert min(row) > 0


def test_a_probability_is_the_weighted_sum_of_shares() -> None:
    control = module().Bigram(bigrams=0.6, unigrams=0.3)
    train = [text(A, B), text(A, C), text(B, A)]  # nine tokens are scored, B twice; A is followed by B, C and the end
    assert math.isclose(likelihood(control, train, A, B), 0.6 / 3 + 0.3 * 2 / 9 + 0.1 / VOCABULARY)
    assert math.isclose(likelihood(control, train, 6, B), 0.9 * 2 / 9 + 0.1 / VOCABULARY)


def test_weights_leave_something_to_what_was_never_seen() -> None:
    with pytest.raises(ValueError, match="leaves nothing"):
        module().Bigram(bigrams=0.7, unigrams=0.3)


def test_tokens_are_counted_once_each_and_more_examples_help() -> None:
    control: TokenControl = module().Bigram()
    windows = [
        {"input_ids": [START, A, B], "labels": [IGNORED, A, B]},
        {"input_ids": [B, C, END], "labels": [IGNORED, C, END]},
    ]
    few, more = (control.predict_tokens([text(A, B)] * count, [windows], VOCABULARY)[0] for count in (1, 20))
    assert few["tokens"] == more["tokens"] == 4
    assert few["nll"] > 0
    seen = [control.predict_tokens([text(A, B)] * count, [text(A, B)], VOCABULARY)[0]["nll"] for count in (1, 2, 20)]
    assert seen == sorted(seen, reverse=True)


def test_its_cells_begin_from_the_tasks_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    task = {"budgets": [4], "domains": {"biology": "meta_train", "music": "meta_test"}}
    found = []
    for steps in (1, 2):
        spec = use.backbone("gpt2", "wikitext", max_length=160, steps=steps)
        use.write_config(
            Path(), {"methods": ["bigram"], "tasks": {"wikitext": task}, "backbones": {"english_decoder": spec}}
        )
        plan = make_plan(CONFIG)
        (cell,) = plan.cells()
        assert cell.checkpoint == plan.backbone("english_decoder").checkpoint
        assert plan.prepares == []
        found.append(cell.fingerprint)
    assert found[0] != found[1]
