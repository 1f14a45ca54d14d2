"""Commands that only look do so wherever the results are, and `check` gives its verdict first."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.adapt.record import write_done
from harness.cli.main import main
from harness.contracts.plan import Cell
from harness.plan.entry import make_plan
from tests import project as use
from tests.project import CONFIG

ASKED = ["--configfile", CONFIG, "--task", "wikiann", "--method", "lora"]
ROW = {"tokens": ["Ada"], "tags": ["B-PER"], "predicted": ["O"]}


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A finished cell of a run on local data; the data are there."""
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    use.ner_data(tmp_path)
    plan = make_plan(CONFIG)
    plan.save()
    cell = next(cell for cell in plan.cells() if cell.method == "lora")
    write_done(Path(cell.folder), {"fingerprint": cell.fingerprint}, [ROW], {})
    return cell


def gone(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "folder":
        shutil.rmtree("data")
    else:
        monkeypatch.delenv("HEADSTART_DATA")


@pytest.mark.parametrize("how", ["folder", "variable"])
def test_results_are_looked_at_without_their_data(
    how: str, done: Cell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--configfile", CONFIG]) == 0
    before = capsys.readouterr().out
    assert "lora      1 done" in before
    gone(how, monkeypatch)
    assert main(["status", "--configfile", CONFIG]) == 0
    told = capsys.readouterr()
    assert told.out == before
    assert told.err.startswith("headstart: as the last run planned it, since now ")
    assert main(["predictions", *ASKED]) == 0
    assert capsys.readouterr().out.startswith(f"{done.name}\n")
    assert main(["predictions", *ASKED, "--seed", "7"]) == 2  # which that run had not
    assert "no such cell is done yet" in capsys.readouterr().err


def test_another_configuration_is_not_taken_for_the_last_runs(
    done: Cell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use.wikiann(source="local", budgets=[5])(Path())
    gone("folder", monkeypatch)
    for command in (["status", "--configfile", CONFIG], ["predictions", *ASKED]):
        assert main(command) == 2
        told = capsys.readouterr()
        assert not told.out
        assert "put the data there or set HEADSTART_DATA to another folder" in told.err


def test_check_gives_its_verdict_first(done: Cell, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--configfile", CONFIG]) == 0
    short = capsys.readouterr().out.splitlines()
    assert short == [f"{CONFIG}: 3 cells; all is well"]
    assert main(["check", "--configfile", CONFIG, "--verbose"]) == 0
    long = capsys.readouterr().out.splitlines()
    assert long[0] == short[0]
    assert "method lora: none then lora" in long
    assert any(line.startswith("this machine multiplies in bfloat16") for line in long)
