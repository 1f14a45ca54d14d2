"""`headstart tune`: what it searches, what it writes to the methods' folders, and what it shows of a search."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.base.files import write_json
from harness.cli import tune
from harness.cli.commands import parser
from harness.cli.main import main
from harness.cli.told import jobs_of
from harness.contracts.discover import methods
from harness.contracts.plan import Plan, TuneJob
from harness.plan.entry import make_plan, release_locks
from harness.tune import space
from harness.tune.kept import mean_score, trial_file
from tests import project as use

CONFIG = use.CONFIG
DOMAINS = {"en": "meta_train", "it": "meta_dev", "nl": "meta_test"}
LOCAL = {"encoder": {"source": "local", "path": "model"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project whose backbone stands already, as far as a plan can see."""
    use.copy_local_project(tmp_path)
    task = {"budgets": [4], "domains": DOMAINS}
    use.write_config(tmp_path, {"tasks": {"wikiann": task}, "backbones": LOCAL, "rates": "search"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def options(*words: str) -> Namespace:
    return parser().parse_args(["tune", "--configfile", CONFIG, "--task", "wikiann", "--method", "lora", *words])


def run(monkeypatch: pytest.MonkeyPatch, best: float, *words: str) -> list[dict[str, Any]]:
    """Tune with a made-up search that finds `best`; what tuned.yaml then says of the task."""

    def made(plan: Plan) -> None:
        (job,) = plan.tunes
        tried = {1e-3: 10.0, 1e-2: 20.0, 1e-1: None} | {best: 30.0}
        trials = [{"rates": {"lr": rate}, "score": score} for rate, score in sorted(tried.items())]
        edge = space.at_edge([(rate,) for rate in tried], (best,))
        note = {"train": {"lr": best}, "trials": trials, "at_edge": edge}
        note |= {"domains": ["it"], "budgets": job.budgets, "seeds": [0, 1], "cost": {"seconds": 1.0}}
        write_json(Path(job.done), note)

    monkeypatch.setattr(tune, "make_inputs", made)
    assert tune.tune(options(*words)) == 0
    release_locks()
    entries: list[dict[str, Any]] = yaml.safe_load(Path("methods/lora/tuned.yaml").read_text())["wikiann"]
    return entries


def test_what_was_found_is_stored_for_the_backbone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (entry,) = run(monkeypatch, 3e-3, "--budget", "8", "2")
    assert (entry["train"], entry["budgets"], entry["seeds"]) == ({"lr": 3e-3}, [2, 8], 2)
    assert entry["identity"] == make_plan(CONFIG).backbone("encoder").identity
    assert entry["trials"] == {"lr 0.001": 10.0, "lr 0.003": 30.0, "lr 0.01": 20.0, "lr 0.1": None}
    block = make_plan(CONFIG).block("wikiann", "lora")
    assert (block.rates, block.train["lr"]) == ("tuned", 3e-3)


def test_another_backbone_has_an_entry_of_its_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, 3e-3)
    use.text("model/config.json", '{"model_type": "bert", "more": 1}')(project)
    run(monkeypatch, 4e-3)
    assert [entry["train"]["lr"] for entry in run(monkeypatch, 5e-3)] == [3e-3, 5e-3]
    assert len(methods()["lora"].tuned["wikiann"]) == 2


def test_one_search_covers_all_budgets_that_are_asked_for(project: Path) -> None:
    use.text("more.yaml", f"extends: {CONFIG}\nmethods: all\nleave_out: [lora]\n")(project)
    asked = options("--configfile", "more.yaml", "--budget", "8", "2", "--seeds", "3")
    plan = tune.tuning_plan(asked, make_plan("more.yaml"), methods()["lora"], "wikiann")
    (job,) = plan.tunes
    assert (job.method, job.budgets) == ("lora", [2, 8]), "the run itself may leave the method out"
    assert {(place.domain, place.seed) for place in job.places} == {("it", 0), ("it", 1), ("it", 2)}
    assert not list(plan.cells())


def test_a_search_covers_the_ends_of_the_tasks_budgets_where_none_is_said(project: Path) -> None:
    task = {"budgets": [2, 4, 8], "domains": DOMAINS}
    use.write_config(project, {"tasks": {"wikiann": task}, "backbones": LOCAL, "rates": "search"})
    (job,) = tune.tuning_plan(options(), make_plan(CONFIG), methods()["lora"], "wikiann").tunes
    assert (job.budgets, job.reaches) == ([2, 8], [2, 4, 8])


@pytest.mark.parametrize(("best", "warned"), [(1e-4, True), (3e-3, False), (2e-1, True)])
def test_the_edge_of_what_was_tried_is_told(
    best: float, warned: bool, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, best)
    assert ("at the edge of what was tried" in capsys.readouterr().err) == warned


@pytest.mark.parametrize(("word", "told"), [("--method", "did you mean 'lora'"), ("--task", "one of wikiann")])
def test_a_name_that_is_none_is_refused(
    word: str, told: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", "--configfile", CONFIG, word, "lroa"]) == 2
    assert told in capsys.readouterr().err


def keep(job: TuneJob, rate: float, score: float | None, places: int | None = None) -> None:
    """Write the cells of a trial, or the first `places` of them."""
    failure = {"what": "x", "status": "diverged", "error": "Diverged: nan"} if score is None else None
    for place in job.places[:places]:
        write_json(trial_file(job, (rate,), place, 4), {"score": score, "seconds": 1.0, "failure": failure})


def test_show_prints_the_trials_so_far(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = next(job for job in make_plan(CONFIG).tunes if job.method == "lora")
    for rate, score in ((1e-4, 3.25), (1e-3, 7.5), (1e-1, None)):
        keep(job, rate, score)
    keep(job, 1e-2, 50.0, places=1)  # still at work
    assert main(["tune", "--configfile", CONFIG, "--method", "lora", "--show"]) == 0
    assert [line.strip() for line in capsys.readouterr().out.splitlines() if line] == [
        "wikiann lora k=4: tried at 4 on it, 3 of 9 trials so far",
        "lr      f1",
        "0.0001    3.25",
        "0.001    7.50  best",
        "0.1  failed",
    ]
    keep(job, 1e-6, 9.0)
    main(["tune", "--configfile", CONFIG, "--method", "lora", "--show"])
    assert "best, at the edge" in capsys.readouterr().out


def test_show_says_where_other_rates_come_from(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use.config(backbones=LOCAL, train={"lora": {"lr": 0.25}})(project)
    assert main(["tune", "--configfile", CONFIG, "--show"]) == 0
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if line}
    assert lines["lora"].endswith("lr 0.25 of the configuration")
    assert lines["finetune"].endswith("lr 0.001 of its method.yaml")


def test_plan_counts_what_searches_still_cost(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = next(job for job in make_plan(CONFIG).tunes if job.method == "lora")
    keep(job, 1e-4, 3.0)
    assert main(["plan", "--configfile", CONFIG]) == 0
    (line,) = (its for its in capsys.readouterr().out.splitlines() if its.startswith("tune") and " lora " in its)
    assert line.split()[3:5] == [str(space.TRIALS * 2), str((space.TRIALS - 1) * 2)]


def test_a_run_tells_its_searches_by_name(project: Path) -> None:
    names = {job.name for job in jobs_of(make_plan(CONFIG)).values()}
    assert {"tune wikiann lora k=4", "tune wikiann finetune k=4"} <= names


def test_the_mean_over_budgets_is_geometric_for_perplexity() -> None:
    scores = {16: [300.0, 500.0], 256: [100.0, 100.0]}
    assert mean_score(scores, "perplexity") == pytest.approx((300 * 500) ** 0.25 * 100**0.5)
    assert mean_score(scores, "f1") == pytest.approx(250.0)


def test_a_budget_with_more_cells_counts_no_more() -> None:
    assert mean_score({16: [0.0, 0.0, 0.0], 64: [10.0]}, "f1") == pytest.approx(5.0)
