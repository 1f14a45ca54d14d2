"""`headstart tables` makes tables of what stands beside a run at work, with holes, and none of the run's own files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from harness.adapt.record import SCORES, write_done
from harness.cli.main import main
from harness.contracts.plan import Plan
from harness.plan.entry import make_plan, release_locks, take_lock
from tests import project as use
from tests.project import CONFIG

ROWS = [{"tokens": ["Ada", "sang"], "tags": ["B-PER", "O"], "predicted": ["B-PER", "O"]}] * 3
TABLES = ["tables", "--configfile", CONFIG]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A run of three methods in two seeds on local data, at work."""
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    use.ner_data(tmp_path)
    use.text(CONFIG, (tmp_path / CONFIG).read_text().replace("seeds:\n- 0\n", "seeds: [0, 1]\n"))(tmp_path)
    planned = make_plan(CONFIG)
    planned.save()
    assert len(list(planned.cells())) == 6
    return planned


def finish(plan: Plan, method: str, seed: int) -> Path:
    """Let a cell be done, and not scored, as before the end of its task."""
    (cell,) = (cell for cell in plan.cells() if (cell.method, cell.seed) == (method, seed))
    write_done(Path(cell.folder), {"fingerprint": cell.fingerprint}, ROWS, {})
    return Path(cell.folder)


def test_without_any_cell_there_is_nothing_to_show(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TABLES) == 2
    assert capsys.readouterr().err == "headstart: out: no cell of run.yaml is done yet; see `headstart status`\n"
    assert [path.name for path in Path("out").iterdir()] == ["plan.json"]


def test_what_stands_is_shown_with_holes_beside_a_run(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    first = finish(plan, "finetune", 0)
    finish(plan, "lora", 0)
    whole = finish(plan, "lora", 1)
    before = {path for path in Path("out").rglob("*") if path.is_file()}
    take_lock(plan)  # as a run does
    try:
        assert main(TABLES) == 0
    finally:
        release_locks()
    told = capsys.readouterr().out
    assert told == "3 of 6 cells are done; what they say stands in out/so-far, report.html among it\n"
    apart = Path("out/so-far")
    made = {path for path in Path("out").rglob("*") if path.is_file()} - before
    assert {path for path in made if apart not in path.parents} <= {Path("out/.lock"), *_scores(plan)}
    assert all((folder / SCORES).is_file() for folder in (first, whole))
    records = pd.read_parquet(apart / "records.parquet").query("primary")
    assert sorted(records.status) == ["done"] * 3 + ["missing"] * 3
    table = pd.read_csv(apart / "tables" / "wikiann.csv").set_index("method")
    board = pd.read_csv(apart / "leaderboard" / "wikiann.csv").set_index("method")
    for shown in (table, board):
        assert set(shown.index) == {"finetune", "lora", "dapt"}
    assert board["mean"].notna().to_dict() == {"finetune": False, "lora": True, "dapt": False}
    assert "missing" in (apart / "report.html").read_text(encoding="utf-8")


def test_while_most_rows_lack_other_seeds_the_first_is_shown_alone(
    plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a third into a run, when every row has its first seed: of no row that lacks one a mean would be taken."""

    def shown(*words: str) -> tuple[str, dict[str, bool]]:
        assert main([*TABLES, *words]) == 0
        board = pd.read_csv("out/so-far/leaderboard/wikiann.csv").set_index("method")
        return capsys.readouterr().out.split(";")[1].strip(), board["mean"].notna().to_dict()

    for method in ("finetune", "lora", "dapt"):
        finish(plan, method, 0)
    every = {"finetune": True, "lora": True, "dapt": True}
    ends = "stands in out/so-far, report.html among it"
    assert shown() == (f"what they say of seed 0 alone {ends}", every)
    assert set(pd.read_parquet("out/so-far/records.parquet").seed) == {0}
    assert shown("--seed", "1") == (f"what they say of seed 1 alone {ends}", dict.fromkeys(every, False))
    finish(plan, "lora", 1)
    assert shown()[1] == every
    finish(plan, "dapt", 1)  # most rows are whole now
    assert shown() == (f"what they say {ends}", every | {"finetune": False})
    assert shown("--seed", "0") == (f"what they say of seed 0 alone {ends}", every)
    assert main([*TABLES, "--seed", "3"]) == 2
    assert capsys.readouterr().err == "headstart: run.yaml: --seed is '3'; use one of 0, 1\n"


def test_more_is_shown_when_more_stands(plan: Plan) -> None:
    finish(plan, "lora", 0)
    assert main(TABLES) == 0
    finish(plan, "dapt", 0)
    assert main(TABLES) == 0
    records = pd.read_parquet("out/so-far/records.parquet").query("primary")
    done = records[records.status == "done"]
    assert sorted(zip(done.method, done.seed, strict=True)) == [("dapt", 0), ("lora", 0)]


def _scores(plan: Plan) -> set[Path]:
    return {Path(cell.folder) / SCORES for cell in plan.cells()}
