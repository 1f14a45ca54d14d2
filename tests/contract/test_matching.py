"""Every discovered method with a size reaches a wanted trained share as nearly as whole numbers allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.backbone.matching import body_parameters, match, resized, sizes, trained_in_body
from harness.base.errors import Unsupported
from harness.contracts.adaptation import sizes_of
from harness.learn.save import attach
from harness.parts.build import adaptations_of
from tests.contract.cells import Case, Read, cases, init_seed, labels_of, run, task_of

WANTED = 0.05
sized = pytest.mark.parametrize("case", [case for case in cases() if sizes_of(adaptations_of(case.folder))], ids=str)


@sized
def test_what_is_solved_is_what_trains_and_no_neighbour_is_nearer(case: Case, checkpoint: Read) -> None:
    read = checkpoint(case.architecture, case.kind, labels_of(case.kind))
    parts: Any = adaptations_of(case.folder)
    found = match(parts, WANTED, read.outline)
    total = body_parameters(read.backbone(0))

    def trained(adaptations: Any) -> int:
        backbone = read.backbone(init_seed(case.kind))
        attach(backbone, adaptations, 0)
        return trained_in_body(backbone)

    assert found.share == pytest.approx(trained(found.adaptations) / total, rel=1e-12)
    size = max(sizes(found.adaptations))
    for neighbour in (size - 1, size + 1):
        if neighbour:
            try:
                share = trained(resized(parts, neighbour)) / total
            except (ValidationError, Unsupported):
                continue
            assert abs(share - WANTED) >= abs(found.share - WANTED) - 1e-12, f"size {neighbour} is nearer than {size}"


@sized
def test_a_cell_runs_at_the_wanted_share_and_says_so(case: Case, checkpoint: Read, tmp_path: Path) -> None:
    read = checkpoint(case.architecture, case.kind, labels_of(case.kind))
    it = run(tmp_path, case, read, task_of(case.kind)[2], match_parameters=WANTED)
    assert it.backbone is not None
    found = match(adaptations_of(case.folder), WANTED, read.outline)  # type: ignore[arg-type]
    assert (it.costs["wanted_share"], it.costs["sized"]) == (WANTED, found.sized)
    moved = sum(value.numel() for name, value in it.trained().items() if not it.backbone.is_head(name))
    assert it.costs["trained_share"] == pytest.approx(moved / body_parameters(read.backbone(0)))
    assert it.costs["trained_share"] == pytest.approx(found.share)


@pytest.mark.parametrize("case", [case for case in cases() if case.method in ("finetune", "head")], ids=str)
def test_a_cell_that_is_not_matched_says_its_share_all_the_same(case: Case, checkpoint: Read, tmp_path: Path) -> None:
    read = checkpoint(case.architecture, case.kind, labels_of(case.kind))
    costs = run(tmp_path, case, read, task_of(case.kind)[2]).costs
    assert (costs["wanted_share"], costs["sized"]) == (None, None)
    assert costs["trained_share"] == (1.0 if case.method == "finetune" else 0.0)
