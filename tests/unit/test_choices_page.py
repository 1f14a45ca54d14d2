"""docs/choices.md has the rows of choices.yaml, and each row's two methods differ in the choice alone."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.choices import HEAD, PAGE, ROWS, line, make_project, name_of, write_variant
from harness.contracts.discover import Method, methods, tasks
from harness.parts.build import adaptations_of, preparation_of
from harness.plan.entry import make_plan

ROOT = Path(__file__).parents[2]
CHOICES: list[dict[str, Any]] = yaml.safe_load((ROOT / ROWS).read_text(encoding="utf-8"))


def parts(method: Method) -> list[Any]:
    return [*adaptations_of(method), preparation_of(method)]


def test_the_page_has_every_row_once_and_no_other() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert text.startswith(HEAD)
    lines = [its for its in text.splitlines() if its.startswith("| ")][2:]
    scores = ("mean", "low", "high", "metric", "direction")
    tests = ("difference", "difference_low", "difference_high", "p_value", "p_holm", "smallest_detectable", "scale")
    none = dict.fromkeys((*scores, *tests))
    empty = [line(row, {row["method"]: none, name_of(row): none}) for row in CHOICES]
    assert [its.split(" | ")[:3] for its in lines] == [[f"| {its[0]}", *its[1:3]] for its in empty]


def test_names_are_of_one_row_and_of_no_method() -> None:
    names = [name_of(row) for row in CHOICES]
    assert len(names) == len(set(names))
    assert not set(names) & set(methods(ROOT))


@pytest.mark.parametrize("row", CHOICES, ids=name_of)
def test_the_other_choice_is_valid_and_another_one(row: dict[str, Any], tmp_path: Path) -> None:
    base = methods(ROOT)[row["method"]]
    write_variant(tmp_path, row, base)
    other = methods(tmp_path)[name_of(row)]
    assert parts(other) != parts(base)
    assert (other.spec.train, other.tuned) == (base.spec.train, base.tuned)
    assert not base.spec.kinds or tasks(ROOT)[row["task"]].spec.kind in base.spec.kinds


def test_a_variant_has_the_rate_that_was_tuned_for_what_is_chosen(tmp_path: Path) -> None:
    """The variant's folder is a copy with its tuned.yaml, and the backbone is known wherever it stands."""
    make_project(tmp_path, CHOICES)
    with chdir(tmp_path):
        rates = {(block.task, block.method): (block.train, block.rates) for block in make_plan("choices.yaml").blocks}
    for row in CHOICES:
        task = row["task"]
        assert rates[task, name_of(row)] == rates[task, row["method"]]
    assert {origin for _, origin in rates.values()} == {"tuned"}
