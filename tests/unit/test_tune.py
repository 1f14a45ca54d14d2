"""`headstart tune`: as many trials for every method, budgets in one score, and a warning at the grid's edge."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

import pytest
import yaml

from harness.base.errors import UserError
from harness.cli import tune
from harness.cli.main import parser
from harness.contracts.discover import Method, methods
from harness.contracts.plan import Plan
from harness.plan.entry import make_plan
from tests import project as use

CONFIG = use.CONFIG
STANDS_IN = tune.stands_in
DOMAINS = {"en": "meta_train", "it": "meta_dev", "nl": "meta_test"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project whose backbone stands already, as far as a plan can see."""
    use.copy_project(tmp_path)
    use.checkpoint("bert")(tmp_path)
    local = {"encoder": {"source": "local", "path": "model"}}
    use.write_config(tmp_path, {"tasks": {"wikiann": {"budgets": [4], "domains": DOMAINS}}, "backbones": local})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tune, "stands_in", lambda *_: local["encoder"])
    return tmp_path


def options(*words: str) -> Namespace:
    return parser().parse_args(["tune", "--configfile", CONFIG, "--task", "wikiann", "--method", "lora", *words])


def run(monkeypatch: pytest.MonkeyPatch, best: int, *words: str) -> dict[str, object]:
    """Tune with made-up trials of which number `best` scores highest; what tuned.yaml then says."""

    def trial(plan: Plan) -> float:
        return -abs(rates.index(plan.blocks[0].train["lr"]) - best)

    rates = methods()["lora"].spec.search["lr"]
    monkeypatch.setattr(tune, "run_trial", trial)
    assert tune.tune(options(*words)) == 0
    entry: dict[str, object] = yaml.safe_load(Path("methods/lora/tuned.yaml").read_text())["wikiann"]
    assert entry["train"] == {"lr": rates[best]}
    return entry


def test_budgets_are_tried_and_recorded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, 2, "--budget", "8", "2")["budgets"] == [2, 8]
    assert methods()["lora"].tuned["wikiann"].budgets == [2, 8]
    plan = tune.trial_plan(options("--budget", "8", "2"), methods()["lora"], "wikiann", {"lr": 0.5})
    assert {(cell.domain, cell.budget) for cell in plan.cells()} == {("it", 2), ("it", 8)}
    assert plan.blocks[0].train["lr"] == 0.5


def test_a_method_that_the_run_leaves_out_is_tuned(project: Path) -> None:
    use.text("more.yaml", f"extends: {CONFIG}\nmethods: all\nleave_out: [lora]\n")(project)
    plan = tune.trial_plan(options("--configfile", "more.yaml"), methods()["lora"], "wikiann", {"lr": 0.5})
    assert {cell.method for cell in plan.cells()} == {"lora"}


def test_a_missing_backbone_is_refused_with_the_command_that_makes_it(project: Path) -> None:
    plan = make_plan(CONFIG)
    command = f"snakemake --cores all {plan.backbone('encoder').done} --configfile {CONFIG}"
    with pytest.raises(UserError, match=re.escape(f"{CONFIG}: backbones.encoder is not made yet; run `{command}`")):
        STANDS_IN(plan, "encoder", CONFIG)


@pytest.mark.parametrize(("best", "warned"), [(0, True), (1, False), (3, False), (4, True)])
def test_the_edge_of_the_grid_is_told(
    best: int, warned: bool, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, best)
    assert ("at the edge of what was tried" in capsys.readouterr().err) == warned


def test_the_mean_over_budgets_is_geometric_for_perplexity() -> None:
    scores = {16: [300.0, 500.0], 256: [100.0, 100.0]}
    assert tune.mean_score(scores, "perplexity") == pytest.approx((300 * 500) ** 0.25 * 100**0.5)
    assert tune.mean_score(scores, "f1") == pytest.approx(250.0)


def test_a_budget_with_more_cells_counts_no_more() -> None:
    assert tune.mean_score({16: [0.0, 0.0, 0.0], 64: [10.0]}, "f1") == pytest.approx(5.0)


@pytest.mark.parametrize("method", [its for its in methods().values() if its.spec.search], ids=lambda method: method.id)
def test_every_method_has_as_many_trials(method: Method) -> None:
    tried = [next(iter(trial.values())) for trial in tune.candidates(method)]
    assert len(tried) == tune.TRIALS == 5
    assert tried == sorted(set(tried)), "values from small to large"


def test_another_number_of_trials_is_refused(project: Path) -> None:
    use.edit("methods/lora/method.yaml", "search: {lr: [", "search: {lr: [1.0e-9, ")(project)
    with pytest.raises(UserError, match="search holds 6 values of 1 rates; give 5 of one"):
        tune.candidates(methods()["lora"])
