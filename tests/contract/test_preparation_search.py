"""The search of a preparation's rates on a tiny checkpoint: killed and resumed, what it reads, who takes its finds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.adapt.block import run_cells
from harness.adapt.record import read_record
from harness.base.errors import Diverged
from harness.base.files import read_json
from harness.cli.run import make_searches
from harness.contracts.plan import Plan, Prepared, PrepareJob, TuneJob
from harness.learn.resume import Resume
from harness.plan import preparation_tunes
from harness.plan.entry import make_plan
from harness.plan.jobs import build_backbone, build_data, run_preparation
from harness.record.collect import collect
from harness.score.score import score_task
from harness.table.leaderboard import task_board
from harness.tune import space, starts
from harness.tune.search import run_search
from harness.tune.trials import Trials
from tests import project as use
from tests.models import write_checkpoint

DOMAINS = {"en": "meta_train", "it": "meta_dev", "nl": "meta_test"}
TASK: dict[str, Any] = {
    "budgets": [8],
    "domains": DOMAINS,
    "test_examples": 60,
    "max_length": 48,
    "train": {"steps": 2, "batch_size": 4, "lr": 0.001},
    "prepare": {
        "multitask": {"steps": 8, "batch_size": 4},
        "meta": {"inner": {"steps": 1}, "outer": {"iterations": 8, "meta_batch": 1, "query": 4}},
    },
}
KEEP = Resume.keep
TRIALS = 4


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project that prepares a tiny checkpoint at rates that it searches, in few trials with one seed."""
    monkeypatch.setattr(space, "COARSE", 2)
    monkeypatch.setattr(space, "ROUNDS", 1)
    monkeypatch.setattr(preparation_tunes, "SEEDS", (0,))
    use.copy_project(tmp_path)
    write_checkpoint(tmp_path / "bert", "bert")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(method: str, **changes: Any) -> tuple[Plan, TuneJob]:
    """A plan of one method, its data and backbone in place, and the search of its preparation's rates."""
    spec = {"encoder": {"source": "local", "path": "bert"}}
    content = {"methods": [method], "tasks": {"wikiann": TASK | changes}, "backbones": spec, "rates": "search"}
    use.write_config(Path(), content)
    plan = make_plan(use.CONFIG)
    for data in plan.data:
        build_data(plan, data)
    build_backbone(plan, plan.backbones[0])
    (job,) = plan.tunes
    return plan, job


def no_test_examples(plan: Plan) -> None:
    """Spoil the test split of every scored domain, so that who reads it fails."""
    for domain in plan.tasks["wikiann"].domains:
        (Path(plan.data_of("wikiann").folders[domain]) / "test.jsonl").write_text("nobody may read this\n")


def killed_in_a_preparation(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Keep the state of a preparation at each of its steps, and end as a kill would after so many."""
    kept = 0

    def keep(self: Resume, **state: Any) -> None:
        nonlocal kept
        self.seconds = 0.0
        KEEP(self, **state)
        kept += 1
        if kept == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(Resume, "keep", keep)


def found_by(job: TuneJob) -> dict[str, Any]:
    """What a search found, less what differs from machine to machine."""
    note: dict[str, Any] = read_json(Path(job.done))
    return {key: value for key, value in note.items() if key not in ("cost", "provenance")}


@pytest.mark.parametrize(
    ("method", "names"), [("multitask", ["lr"]), ("primed_adapter", ["outer.lr", "inner.lr"])], ids=["one", "two"]
)
def test_a_search_that_is_killed_twice_ends_the_same(
    method: str, names: list[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, job = planned(method)
    no_test_examples(plan)
    run_search(plan, job)
    whole = found_by(job)
    assert sorted(whole["prepare"]) == sorted(names)
    assert len(whole["trials"]) == TRIALS
    assert len({trial["score"] for trial in whole["trials"]}) > 1, "the rates make a difference"
    assert not list(Path(job.folder).rglob("prepared")), "what was prepared for a trial is large"
    Path(job.folder).rename("untouched")
    Path(job.done).unlink()
    for after in (3, 4):
        with monkeypatch.context() as patched:
            killed_in_a_preparation(patched, after)
            with pytest.raises(KeyboardInterrupt):
                run_search(plan, job)
        assert list(Path(job.folder).rglob("*.resume")), "the kill came in the midst of a preparation"
    run_search(plan, job)
    assert found_by(job) == whole


def test_cells_begin_with_what_was_prepared_at_the_rates_found(project: Path) -> None:
    plan, job = planned("multitask")
    make_searches(plan, [job])
    found = found_by(job)["prepare"]["lr"]
    (prepare,) = plan.prepares
    run_preparation(plan, prepare)
    note = read_json(Path(prepare.parts[0].done))
    assert note["options"] == prepare.options | {"lr": found}
    assert note["options"]["steps"] == 8, "the trials' preparations alone are short"
    assert found_by(job)["prepared_as"]["steps"] == 8 * space.SHARE
    run_cells(plan, plan.adapts[0])
    score_task(plan, "wikiann")
    records = collect(plan)
    cost = read_json(Path(job.done))["cost"]["seconds"]
    assert set(records.status) == {"done"}
    assert (set(records.tuning_seconds), set(records.preparation_tuning_seconds)) == ({0.0}, {cost})
    assert {row["tuning_seconds"] for row in task_board(plan, records, "wikiann")} == {cost}
    assert set(records.preparation_rates) == {"searched"}


def test_without_meta_dev_a_trial_is_scored_on_examples_that_are_kept_from_its_training(project: Path) -> None:
    plan, job = planned("multitask", domains={"en": "meta_train", "nl": "meta_test"})
    no_test_examples(plan)
    trials = Trials(plan, job)
    assert trials.score((1e-3,)) is not None
    bench = trials._bench_for(job.places[0], job.budgets[0])
    learned, scored = ({row["id"] for row in bench.split("nl", split)} for split in ("train", "test"))
    assert not learned & scored
    assert (job.budgets, len(learned), len(scored)) == ([4], 3, 1)


def standing(monkeypatch: pytest.MonkeyPatch, refuse: float) -> list[float]:
    """Let preparations below a rate give the backbone itself, and others diverge; the rates that were asked for."""
    asked: list[float] = []

    def made(plan: Plan, job: PrepareJob, part: Prepared) -> None:
        asked.append(job.options["lr"])
        if asked[-1] >= refuse:
            raise Diverged("the loss is nan")
        shutil.copytree("bert", part.folder)
        shutil.copy("bert/config.json", f"{part.folder}/prepared.json")

    monkeypatch.setattr(starts, "make_prepared", made)
    return asked


def test_a_rate_at_which_a_preparation_diverges_has_lost(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, job = planned("multitask")
    asked = standing(monkeypatch, refuse=1e-3)
    run_search(plan, job)
    note = found_by(job)
    assert note["prepare"]["lr"] < 1e-3
    failed = [trial["rates"]["lr"] for trial in note["trials"] if trial["score"] is None]
    assert failed == [rate for rate in sorted(set(asked)) if rate >= 1e-3]
    assert len(asked) == len(note["trials"]), "each checkpoint is made once"


def test_where_all_diverge_the_cells_say_why(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, job = planned("multitask")
    asked = standing(monkeypatch, refuse=0.0)
    run_search(plan, job)
    assert len(asked) == 2
    run_preparation(plan, plan.prepares[0])
    run_cells(plan, plan.adapts[0])
    (cell,) = plan.cells()
    record = read_record(Path(cell.folder), cell.fingerprint)
    assert record is not None
    assert (record["status"], record["error"].strip().endswith("the loss is nan")) == ("diverged", True)


def test_what_follows_has_the_rate_that_was_searched_for_it(project: Path) -> None:
    plan, job = planned("multitask")
    found = Path("found.json")
    found.write_text('{"train": {"lr": 0.125}}')
    trials = Trials(plan, replace(job, rates_from=str(found)))
    assert trials._train((1e-3,)).lr == 0.125
    assert Trials(plan, replace(job, prepare=None))._train((1e-3,)).lr == 1e-3
