"""The search of a rate on a tiny checkpoint: what it reads, that it goes on after a kill, who takes what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.adapt.block import run_cells
from harness.adapt.record import read_record
from harness.base.errors import Diverged, Unsupported
from harness.base.files import read_json
from harness.cli.main import main
from harness.cli.run import forget_inputs, make_inputs
from harness.contracts.plan import Plan, TuneJob
from harness.plan.entry import make_plan, release_locks
from harness.record.collect import collect
from harness.score.score import score_task
from harness.table.leaderboard import task_board
from harness.tune import space, trials
from harness.tune.search import run_search
from harness.tune.space import Point
from tests import project as use
from tests.models import write_checkpoint

DOMAINS = {"en": "meta_train", "it": "meta_dev", "nl": "meta_test"}
TASK: dict[str, Any] = {
    "budgets": [8],
    "domains": DOMAINS,
    "test_examples": 6,
    "max_length": 48,
    "train": {"steps": 2, "batch_size": 4},
}
RUN = trials.Trials._run
COARSE, ROUNDS = 3, 1  # fewer trials than users have: of how many there are, none of this depends
TRIALS = COARSE + 2 * ROUNDS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project that searches one method's rate on a tiny checkpoint, in few trials."""
    monkeypatch.setattr(space, "COARSE", COARSE)
    monkeypatch.setattr(space, "ROUNDS", ROUNDS)
    use.copy_project(tmp_path)
    write_checkpoint(tmp_path / "bert", "bert")
    monkeypatch.chdir(tmp_path)
    configure()
    return tmp_path


def configure(methods: tuple[str, ...] = ("lora",), **changes: Any) -> Plan:
    spec = {"encoder": {"source": "local", "path": "bert"}}
    task = {"wikiann": TASK | changes}
    use.write_config(Path(), {"methods": list(methods), "tasks": task, "backbones": spec, "rates": "search"})
    return make_plan(use.CONFIG)


def searched() -> tuple[Plan, TuneJob]:
    """The run's inputs, the search among them."""
    plan = make_plan(use.CONFIG)
    make_inputs(plan)
    return plan, plan.tunes[0]


def counted(monkeypatch: pytest.MonkeyPatch, stop_at: int | None = None) -> list[float]:
    """Note the rate of each cell of a trial that runs; stop as a kill would before one."""
    ran: list[float] = []

    def run(self: trials.Trials, point: Point, place: Any, budget: int) -> Any:
        if len(ran) == stop_at:
            raise KeyboardInterrupt
        ran.append(point[0])
        return RUN(self, point, place, budget)

    monkeypatch.setattr(trials.Trials, "_run", run)
    return ran


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let every cell of a trial fail."""
    import harness.adapt.cell

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(harness.adapt.cell, "run_cell", fail)


def found_by(job: TuneJob) -> dict[str, Any]:
    """What a search found, less what differs from machine to machine."""
    note: dict[str, Any] = read_json(Path(job.done))
    return {key: value for key, value in note.items() if key not in ("cost", "provenance")}


def test_a_search_that_is_killed_goes_on_and_ends_the_same(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, job = searched()
    whole = found_by(job)
    assert len(whole["trials"]) == TRIALS
    cells = TRIALS * len(job.places)
    Path("out").rename("untouched")
    for killed_after in (3, 4):
        ran = counted(monkeypatch, stop_at=killed_after)
        with pytest.raises(KeyboardInterrupt):
            searched()
        assert len(ran) == killed_after
    ran = counted(monkeypatch)
    searched()
    assert len(ran) == cells - 7, "no finished trial runs again"
    assert found_by(job) == whole
    monkeypatch.setattr(trials.Trials, "_run", lambda *_: pytest.fail("a finished search runs nothing"))
    run_search(plan, job)
    assert found_by(job) == whole


def test_trials_share_frozen_states_by_their_places(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(methods=("adapter_last",), train={"steps": 4, "batch_size": 4})
    made, benches = trials.Trials._made, []
    monkeypatch.setattr(trials.Trials, "_made", lambda its: benches.append(made(its)) or benches[-1])
    _, job = searched()
    (bench,) = benches
    assert bench.shelf is not None
    assert len(bench.shelf.held) == len(job.places) == 2, "one pass over the sentences of each, for all rates"


def test_cells_take_the_rate_that_was_found_and_records_say_what_it_cost(project: Path) -> None:
    plan, job = searched()
    rate = found_by(job)["train"]["lr"]
    run_cells(plan, plan.adapts[0])
    score_task(plan, "wikiann")
    for cell in plan.cells():
        record = read_record(Path(cell.folder), cell.fingerprint)
        assert record is not None
        assert (record["status"], record["train"]["lr"], record["rates"]) == ("done", rate, "searched")
    records = collect(plan)
    cost = read_json(Path(job.done))["cost"]["seconds"]
    assert cost > 0
    assert set(records.tuning_seconds) == {cost}
    assert set(records.rates) == {"searched"}
    assert {row["tuning_seconds"] for row in task_board(plan, records, "wikiann")} == {cost}


@pytest.mark.parametrize("dev", [True, False], ids=["meta_dev", "held out"])
def test_no_test_example_of_a_scored_domain_is_read(dev: bool, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domains = DOMAINS if dev else {"en": "meta_train", "nl": "meta_test", "pt": "meta_test"}
    plan = configure(domains=domains)
    make_inputs_without_searches(plan, monkeypatch)
    folders = plan.data_of("wikiann").folders
    for domain, role in domains.items():
        if role == "meta_test":
            (Path(folders[domain]) / "test.jsonl").write_text("nobody may read this\n")
    ran: list[tuple[list[str], list[str]]] = []

    def looked_at(self: trials.Trials, place: Any, budget: int) -> Any:
        bench = WHOLE(self, place, budget)
        both = (bench.split(place.domain, "train"), bench.split(place.domain, "test"))
        ran.append(tuple([row["id"] for row in rows] for rows in both))  # type: ignore[arg-type]
        return bench

    WHOLE = trials.Trials._bench_for
    monkeypatch.setattr(trials.Trials, "_bench_for", looked_at)
    run_search(plan, plan.tunes[0])
    assert len(found_by(plan.tunes[0])["trials"]) == TRIALS
    for learned, scored in ran:
        assert not set(learned) & set(scored)
        assert (len(learned), len(scored)) == ((4, 6) if dev else (3, 1))


def make_inputs_without_searches(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("harness.cli.run.tune", lambda *_: None)
        make_inputs(plan)


def test_where_every_trial_fails_the_cells_say_why_and_retry_tries_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        failing(broken, Diverged("the loss is nan"))
        plan, job = searched()
    note = found_by(job)
    assert (note["train"], [trial["score"] for trial in note["trials"]]) == ({}, [None] * COARSE)
    run_cells(plan, plan.adapts[0])
    (cell,) = plan.cells()
    record = read_record(Path(cell.folder), cell.fingerprint)
    assert record is not None
    assert record["status"] == "diverged"
    assert record["error"].strip().endswith("the loss is nan")
    assert forget_inputs(plan, ["diverged"]) == 1
    searched()
    assert found_by(job)["train"]


def test_what_no_rate_can_mend_ends_the_search_at_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, Unsupported("this backbone has no such layers"))
    _, job = searched()
    assert len(found_by(job)["trials"]) == 1
    assert read_json(Path(job.folder) / "failed.json")["status"] == "unsupported"


def test_a_score_that_is_not_defined_is_no_failure(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the few examples that a search may have, a correlation is often of one class alone."""
    monkeypatch.setattr(trials, "score_rows", lambda *_: {"scores": {"f1": None}})
    _, job = searched()
    note = found_by(job)
    assert {trial["score"] for trial in note["trials"]} == {0.0}
    assert len(note["trials"]) == TRIALS
    assert job.lines[0].low < note["train"]["lr"] < job.lines[0].high


def test_tune_stores_what_the_next_run_takes(project: Path) -> None:
    words = ["tune", "--configfile", use.CONFIG, "--method", "lora", "--budget", "8", "--seeds", "1"]
    assert main(words) == 0
    release_locks()
    plan = make_plan(use.CONFIG)
    assert plan.blocks[0].rates == "tuned"
    assert not plan.tunes
