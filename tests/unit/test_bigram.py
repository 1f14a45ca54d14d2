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


def test_every_row_sums_to_one() -> None:
    model = module().Counts([(START, A), (A, B), (B, A), (A, B), (B, END)], VOCABULARY)
    for before in range(VOCABULARY):
        row = [model.probability(before, token) for token in range(VOCABULARY)]
        assert math.isclose(sum(row), 1)
        assert min(row) > 0


def test_a_probability_is_the_formulas() -> None:
    model = module().Counts([(START, A), (A, B), (A, C), (A, B)], VOCABULARY)
    alone = (2 + 3 / VOCABULARY) / (4 + 3)  # B is two of four tokens, of three kinds
    assert math.isclose(model.probability(A, B), (2 + 2 * alone) / (3 + 2))
    assert math.isclose(model.probability(B, B), alone)


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


def test_without_examples_every_token_is_as_likely() -> None:
    found = module().Bigram().predict_tokens([], [text(A)], VOCABULARY)[0]
    assert math.isclose(found["nll"] / found["tokens"], math.log(VOCABULARY))


def test_its_cells_begin_from_the_tasks_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    task = {"budgets": [4], "domains": {"biology": "meta_train", "music": "meta_test"}}
    found = []
    for steps in (1, 2):
        spec = use.backbone("gpt2", "wikitext", max_length=160, steps=steps)
        use.write_config(
            Path(), {"methods": ["bigram"], "tasks": {"wikitext": task}, "backbones": {"wikitext_decoder": spec}}
        )
        plan = make_plan(CONFIG)
        (cell,) = plan.cells()
        assert cell.checkpoint == plan.backbone("wikitext_decoder").checkpoint
        assert plan.prepares == []
        found.append(cell.fingerprint)
    assert found[0] != found[1]
