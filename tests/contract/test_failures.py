"""A preparation or a backbone that fails leaves failed cells with its reason, and the rest of the run goes on."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.adapt.block import run_cells
from harness.adapt.limits import TookTooLong
from harness.adapt.record import read_record
from harness.base.errors import Diverged, Unsupported, UserError
from harness.cli.main import main
from harness.cli.report import outcome
from harness.cli.run import make_inputs
from harness.contracts.plan import Plan
from harness.plan.entry import make_plan, release_locks
from harness.prepare import pretraining
from harness.prepare.dapt import Dapt
from harness.prepare.workshop import Workshop
from harness.record.collect import collect
from harness.score import score
from harness.score.score import score_task
from harness.table.leaderboard import task_board
from tests import project as use
from tests.models import write_checkpoint
from tests.project import CONFIG

TASK = {
    "test_examples": 3,
    "budgets": [4],
    "train": {"steps": 1},
    "prepare": {"dapt": {"steps": 1}},
    "max_length": 48,
    "source": "local",
}
NER = TASK | {"domains": {"en": "meta_test", "nl": "meta_test"}}
LM = TASK | {"domains": {"math": "meta_test"}}
WHOLE, PRETRAIN = Dapt.prepare, pretraining.pretrain


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in the current folder, whose backbone is a checkpoint beside it."""
    use.copy_project(tmp_path)
    use.ner_data(tmp_path)
    for split in ("train", "dev", "test"):
        use.text(f"data/lm/math/{split}.txt", "".join(f"a {split} text {number} .\n" for number in range(6)))(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    write_checkpoint(tmp_path / "bert", "bert")
    use.text("bert/failed.json", "[]")(tmp_path)  # the user's own, and no word of ours
    spec = {"encoder": {"source": "local", "path": "bert"}}
    changes = {"seeds": [0, 1], "methods": ["finetune", "dapt"], "tasks": {"wikiann": NER}, "backbones": spec}
    use.write_config(tmp_path, changes)
    return tmp_path


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException | None) -> list[tuple[str | None, int]]:
    """Let DAPT fail with `error` for domain nl and seed 1; returns what it was asked for."""
    asked = []

    def prepare(self: Dapt, workshop: Workshop) -> None:
        asked.append((workshop.target, workshop.seed))
        if error is not None and asked[-1] == ("nl", 1):
            raise error
        WHOLE(self, workshop)

    monkeypatch.setattr(Dapt, "prepare", prepare)
    return asked


def headstart(*words: str) -> int:
    """A command in a process of its own, as far as locks go."""
    code = main([*words, "--configfile", CONFIG])
    release_locks()
    return code


def run_all() -> dict[str, dict[str, Any]]:
    """Make the inputs and the cells of the run as its jobs do; the records by the cells' names."""
    plan = make_plan(CONFIG)
    make_inputs(plan)
    for job in plan.adapts:
        run_cells(plan, job)
    for task in plan.tasks:
        score_task(plan, task)
    found = {cell.name: read_record(Path(cell.folder), cell.fingerprint) for cell in plan.cells()}
    return {name: record for name, record in found.items() if record is not None}


def failed_in(records: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: record["status"] for name, record in records.items() if record["status"] != "done"}


FAILED = "wikiann dapt nl k=4 seed 1"


def test_cells_of_a_failed_preparation_have_its_reason(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = failing(monkeypatch, Diverged("the loss is nan at step 1"))
    records = run_all()
    assert failed_in(records) == {FAILED: "diverged"}
    assert len(records) == len(list(make_plan(CONFIG).cells())) == 8
    record = records[FAILED]
    assert record["error"].startswith("Traceback")
    assert record["error"].strip().endswith("Diverged: the loss is nan at step 1")
    assert record["failed_in"] == "preparation dapt wikiann nl seed 1"
    assert sorted(asked) == [("en", 0), ("en", 1), ("nl", 0), ("nl", 1)]
    capsys.readouterr()
    assert headstart("status") == 0
    told = f"diverged: {FAILED}: preparation dapt wikiann nl seed 1: harness.base.errors.Diverged: the loss is nan"
    assert told in capsys.readouterr().out
    assert headstart("plan") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("prepare"))
    assert line.split()[3:5] == ["4", "0"], "what failed is not to do before it is retried"


def test_a_failure_is_kept_until_it_is_retried(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, Diverged("nan"))
    before = run_all()
    asked = failing(monkeypatch, None)
    for job in make_plan(CONFIG).prepares:
        Path(job.done).unlink()  # as where a seed is added: another mark, with the same checkpoints in it
    assert run_all() == before
    assert asked == []
    called: list[list[str]] = []
    monkeypatch.setattr(subprocess, "call", lambda command: called.append(command) or 0)  # type: ignore[func-returns-value]
    assert headstart("retry", "--status", "error") == 0
    assert "0 cells will run again\n" in capsys.readouterr().out
    assert called == []
    assert headstart("retry") == 0
    assert "1 cells will run again, and 1 checkpoints that failed before them" in capsys.readouterr().out
    assert len(called) == 1
    after = run_all()
    assert asked == [("nl", 1)]
    assert failed_in(after) == {}
    assert {name for name in after if after[name] != before[name]} == {FAILED}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ZeroDivisionError("by zero"), "error"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (Unsupported("not for this kind"), "unsupported"),
        (TookTooLong("hours"), "timeout"),
    ],
)
def test_every_way_to_fail_has_its_status(
    error: Exception, status: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, error)
    assert headstart("run", "--task", "wikiann", "--method", "dapt", "--domain", "nl", "--seed", "1") == 1
    (cell,) = make_plan(CONFIG, only={"method": ["dapt"], "domain": ["nl"], "seed": [1]}).cells()
    record = read_record(Path(cell.folder), cell.fingerprint)
    assert record is not None
    assert record["status"] == status


def test_a_users_mistake_and_a_stop_are_no_results(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, code in ((UserError("bert: the head is odd; mend it"), 2), (KeyboardInterrupt(), 130)):
        failing(monkeypatch, error)
        assert headstart("run", "--task", "wikiann", "--method", "dapt", "--seed", "1") == code
    assert "headstart: bert: the head is odd; mend it" in capsys.readouterr().err
    assert not list((project / "out").rglob("failed.json"))
    assert not list((project / "out").rglob("record.json"))


ODD = """
from harness.contracts.adaptation import Control

class Odd(Control):
    def predict(self, train, test):
        return [["O"] for _ in test]
"""


def test_predictions_that_cannot_be_scored_cost_their_cells_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use.text("methods/odd/method.py", ODD)(project)
    use.text("methods/odd/method.yaml", "label: Odd\nsummary: Too few tags.\ncontrol: true\nadapt: odd\n")(project)
    spec = {"encoder": {"source": "local", "path": "bert"}}
    use.write_config(project, {"methods": ["odd", "majority"], "tasks": {"wikiann": NER}, "backbones": spec})
    records = run_all()
    assert failed_in(records) == {f"wikiann odd {domain} k=4 seed 0": "error" for domain in ("en", "nl")}
    assert records["wikiann odd nl k=4 seed 0"]["failed_in"] == "scoring"
    (file,) = (project / "out" / "cells" / "wikiann" / "odd").glob("nl-*/record.json")
    capsys.readouterr()
    assert headstart("run", "--task", "wikiann", "--method", "odd", "--domain", "nl") == 1
    assert "wikiann odd nl k=4 seed 0: error" in capsys.readouterr().out
    assert headstart("status") == 0
    assert "scoring: ValueError" in capsys.readouterr().out
    monkeypatch.setattr(score, "score_rows", lambda *_: {"scores": {"f1": 1.0}, "statistics": {}, "n": 6})
    adapted = file.stat().st_mtime_ns
    assert failed_in(run_all()) == {}, "a mended metric scores what stands"
    assert file.stat().st_mtime_ns == adapted, "and trains nothing again"


@pytest.fixture
def without_encoder(project: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A finished run of two tasks, of whose backbones one could not be pretrained."""

    def no_memory(*_: object) -> None:
        raise MemoryError("of 40 GiB")

    monkeypatch.setattr(pretraining, "pretrain", no_memory)
    write_checkpoint(project / "gpt2", "gpt2")
    backbones = {
        "encoder": use.backbone("bert", "wikiann", corpora={"wikiann": ["meta_test"]}),
        "english_decoder": {"source": "local", "path": "gpt2"},
    }
    methods = ["finetune", "dapt", "majority", "zero_shot"]
    tasks = {"wikiann": NER, "adaptsum_lm": LM}
    use.write_config(project, {"seeds": [0, 1], "methods": methods, "tasks": tasks, "backbones": backbones})
    run_all()
    return make_plan(CONFIG)


def test_a_failed_backbone_takes_down_its_own_cells_alone(
    without_encoder: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    records = collect(without_encoder)
    statuses = {key: set(its) for key, its in records.groupby(["task", "method"]).status}
    broken = {("wikiann", "finetune"), ("wikiann", "dapt")}
    assert {key for key, its in statuses.items() if its == {"out_of_memory"}} == broken
    assert {key for key, its in statuses.items() if its == {"done"}} == set(statuses) - broken
    assert len(statuses) == 6
    errors = records[records.status == "out_of_memory"].error
    assert errors.str.strip().str.endswith("MemoryError: of 40 GiB").all()
    capsys.readouterr()
    assert outcome(without_encoder, records) == 1
    assert "8 out_of_memory" in capsys.readouterr().err
    board = pd.DataFrame(task_board(without_encoder, records, "wikiann"))
    its = board[board.budget == "all"].set_index("method")
    assert its.loc["dapt", "statuses"] == "out_of_memory:4"
    assert pd.isna(its.loc["dapt", "preparation_seconds"]), "what was not made has no cost, which is not nothing"
    assert its.loc["finetune", "preparation_seconds"] == 0.0


def test_retry_tries_a_backbone_again(
    without_encoder: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert headstart("tune", "--task", "wikiann", "--method", "finetune") == 2
    told = "no rate of finetune could be searched on wikiann (out_of_memory); MemoryError: of 40 GiB"
    assert told in capsys.readouterr().err
    monkeypatch.setattr(pretraining, "pretrain", PRETRAIN)
    monkeypatch.setattr(subprocess, "call", lambda _: 0)
    assert headstart("retry") == 0
    assert "8 cells will run again, and 5 checkpoints" in capsys.readouterr().out
    assert failed_in(run_all()) == {}
    assert len(list(Path("out/prepared/wikiann/dapt").glob("*/prepared.json"))) == 4


LOWERED = """
import resource
from harness.adapt.limits import limits
soft, hard = 1 << 33, 1 << 34
resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
with limits(None, 1024.0):
    assert resource.getrlimit(resource.RLIMIT_DATA) == (soft, hard)
with limits(None, 1.0):
    assert resource.getrlimit(resource.RLIMIT_DATA) == (1 << 30, hard)
assert resource.getrlimit(resource.RLIMIT_DATA) == (soft, hard)
"""


def test_a_lower_limit_of_the_system_stays(project: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    subprocess.run([sys.executable, "-c", LOWERED], cwd=use.ROOT, check=True)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
