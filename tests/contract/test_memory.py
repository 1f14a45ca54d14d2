"""The memory of a cell's record is the cell's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.adapt import cell
from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation
from tests.contract.cells import Case, Read, read_for, run, task_of

CASE = Case("head", "bert", "token-classification")
MANY = 40 << 20  # bytes
SMALL = 20.0  # MiB, of which a tiny model's cell takes the most part


class Greedy(Adaptation):
    """Takes a lot once, and lets it go."""

    def attach(self, backbone: Backbone) -> None:
        torch.ones(MANY, dtype=torch.uint8)


@pytest.mark.parametrize("greedy", [False, True])
def test_a_cell_is_charged_for_what_it_takes_alone(
    greedy: bool, checkpoint: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, CASE, read_for(CASE, checkpoint), task_of(CASE.kind)[2])  # what a process does once, is done
    held = torch.ones(MANY, dtype=torch.uint8)
    left: list[Any] = [torch.ones(MANY, dtype=torch.uint8)]
    left.append(left)  # a circle, as a backbone and its hooks are
    del left
    if greedy:
        real = vars(cell)["_matched"]
        monkeypatch.setattr(cell, "_matched", lambda *its: [*real(*its), Greedy()])
    peak = run(tmp_path, CASE, read_for(CASE, checkpoint), task_of(CASE.kind)[2]).costs["peak_rss_mib"]
    assert len(held) == MANY
    assert (MANY >> 20) * greedy - 1 <= peak < (MANY >> 20) * greedy + SMALL
