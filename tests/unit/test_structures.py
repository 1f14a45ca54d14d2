"""The picture of learned structures, on made-up records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.colors import to_hex

from harness.adaptations.tams_cell import EDGE_NAMES
from harness.adaptations.tams_cell import OPERATIONS as OF_THE_CELL
from harness.table.scores import TaskScores
from harness.table.structures import COLOUR, OPERATIONS, draw, reported, write_structures
from tests.unit.made_records import made_plan, made_records


def test_operations_are_those_of_the_cell() -> None:
    assert OPERATIONS == OF_THE_CELL
    assert len(set(COLOUR.values())) == len(OPERATIONS)


def test_a_square_is_an_operation_and_a_hole_stays_white(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path))
    plan.methods["alpha"]["adapt"] = ["tarp", "tams"]
    assert plan.figures == ["ner", "lm", "ner.structures", "lm.structures"]
    records = made_records(plan, holes={("ner", "alpha", "nl", 8, 1): "error"})
    structure = {edge: OPERATIONS[place % 6] for place, edge in enumerate(EDGE_NAMES)}
    mine = (records.task == "ner") & (records.method == "alpha") & (records.status == "done")
    records["report"] = None
    records.loc[mine, "report"] = json.dumps({"tams_structure": structure})
    found = reported(records, "ner")
    assert list(found) == ["alpha"]
    assert len(found["alpha"]) == 2 * 2 * 3 - 1
    panel = draw(TaskScores(plan, records, "ner"), found).axes[0]
    squares = {(patch.get_x(), patch.get_y()): to_hex(patch.get_facecolor()) for patch in panel.patches}
    assert squares == {
        (column, line): COLOUR[operation]
        for column in range(12)
        if column != 1
        for line, operation in enumerate(structure.values())
    }


@pytest.mark.parametrize("task", ["ner", "lm"])
def test_it_is_written_though_no_cell_is_done(task: str, tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path))
    plan.methods["beta"]["adapt"] = ["tams"]
    records = made_records(plan)
    records["report"] = None
    write_structures(plan, records)
    assert (tmp_path / "figures" / f"{task}.structures.svg").stat().st_size > 0
    plan.methods["beta"]["adapt"] = ["lora"]
    assert plan.structured == []
