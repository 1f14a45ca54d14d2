"""The budget `all`: at the end of every order, under one name, and in the records the number that it is in a domain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.base.errors import UserError
from harness.base.files import write_json
from harness.contracts.budget import WHOLE, budget_of, positions, told
from harness.contracts.plan import DataJob, Plan
from harness.contracts.plan_file import load_plan
from harness.data.build import check_budgets
from harness.data.splits import few
from harness.plan.entry import make_plan
from harness.plan.work import Work
from harness.record.collect import collect, records_file, write_records
from harness.record.read import read_records
from harness.table.figures import write_figures
from harness.table.leaderboard import write_leaderboards
from harness.table.scores import TaskScores
from harness.table.standing import selections
from harness.table.tables import write_tables
from harness.tune.space import reached
from tests import project as use
from tests.unit.made_records import made_plan, made_records

DOMAINS = {"en": "meta_train", "de": "meta_test", "nl": "meta_test"}


def planned(budgets: list[Any], **changes: Any) -> Plan:
    use.write_config(Path(), {"tasks": {"wikiann": {"budgets": budgets, "domains": DOMAINS}}} | changes)
    return make_plan(use.CONFIG)


def test_it_stands_behind_every_number_and_has_a_name_of_its_own(project: Path) -> None:
    plan = planned(["all", 8, 4])
    assert plan.tasks["wikiann"].budgets == [4, 8, WHOLE]
    names = [Path(cell.folder).name.rsplit("-", 1)[0] for cell in plan.blocks[0].cells]
    assert names == [f"{domain}-k{budget}-s0" for domain in ("de", "nl") for budget in (4, 8, "whole")]
    assert plan.blocks[0].cells[2].name == "wikiann finetune de k=whole seed 0"
    plan.save()
    assert load_plan(plan.path).blocks == plan.blocks
    before = {cell.fingerprint for cell in planned([4, 8]).cells()}
    assert before < {cell.fingerprint for cell in plan.cells()}


def test_what_is_no_budget_is_refused(project: Path) -> None:
    for word, mend in (("every", "write a number of examples, or all"), ("16", "write the number alone, as 16")):
        with pytest.raises(UserError, match=mend):
            planned([word])
    with pytest.raises(UserError, match="stands twice"):
        planned(["all", "all"])


def test_it_is_all_of_a_domains_split_however_long() -> None:
    train = [{"id": str(place)} for place in range(30)]
    assert few(train, WHOLE, "ner", "nl", 0)[:8] == few(train, 8, "ner", "nl", 0)
    assert len(few(train, WHOLE, "ner", "nl", 0)) == 30
    check_budgets("run.yaml", "ner", "nl", 30, [30, WHOLE])
    with pytest.raises(UserError, match="30 training examples"):
        check_budgets("run.yaml", "ner", "nl", 30, [31, WHOLE])
    assert (budget_of("all"), budget_of("8"), told(8), told(WHOLE)) == (WHOLE, 8, 8, "whole")
    assert (reached(WHOLE), reached(2000)) == (WHOLE, 1000)
    assert positions([16, 64, WHOLE]) == [16.0, 64.0, 256.0]


def test_a_plan_in_epochs_is_estimated_by_the_splits_own_length(project: Path) -> None:
    tasks = {"wikiann": {"budgets": ["all"], "domains": DOMAINS, "train": {"epochs": 2, "batch_size": 10}}}
    plan = planned([], tasks=tasks, methods=["finetune"])
    assert Work(plan).sentences(plan.blocks[0]) == 2 * 1000


def test_records_hold_each_domains_own_number(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), ("ner",), budgets=[8, int(WHOLE)], seeds=[0], methods={"alpha": "Alpha"})
    folders = {domain: str(tmp_path / domain) for domain in ("nl", "fi")}
    write_json(tmp_path / "nl" / "manifest.json", {"splits": {"train": {"examples": 30}}})
    plan = replace(plan, data=[DataJob("ner", "local", {}, folders, [8], "refuse", "done")])
    write_records(plan)
    found = pd.read_parquet(tmp_path / "records.parquet").set_index(["domain", "whole"]).budget
    assert (found["nl", True], found["nl", False], found["fi", False]) == (30, 8, 8)
    assert pd.isna(found["fi", True])  # its data do not stand yet
    pd.testing.assert_frame_equal(read_records(records_file(plan)), collect(plan))
    assert set(read_records(records_file(plan)).budget) == {8, WHOLE}


def test_tables_boards_and_figures_show_it_last(tmp_path: Path) -> None:
    plan = made_plan(str(tmp_path), ("ner",), budgets=[int(WHOLE), 8, 32])
    records = made_records(plan)
    for write in (write_tables, write_leaderboards, write_figures):
        write(plan, records)
    shown = pd.read_csv(tmp_path / "tables" / "ner.csv").budget.astype(str)
    assert list(shown[:3]) == ["8", "32", "whole"]
    board = pd.read_csv(tmp_path / "leaderboard" / "ner.csv").budget.astype(str)
    assert list(board.drop_duplicates()) == ["8", "32", "whole", "all"]
    page = (tmp_path / "tables" / "ner.md").read_text()
    assert page.index("## 32 training examples") < page.index("## All training examples of each domain")
    assert str(int(WHOLE)) not in page + (tmp_path / "leaderboard" / "ner.md").read_text()
    scores = TaskScores(plan, records, "ner")
    assert [its.name for its in selections(scores)] == [8, 32, "whole", "all"]
    assert str(int(WHOLE)) not in (tmp_path / "figures" / "ner.svg").read_text()
