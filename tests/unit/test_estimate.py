"""What a run is said to take follows its backbones' sizes, and what its finished cells took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.adapt.record import write_done
from harness.base.files import write_json, write_lines
from harness.cli.main import main
from harness.contracts.plan import BackboneJob, Block, Plan
from harness.plan import estimate
from harness.plan.entry import make_plan
from harness.plan.estimate import IMPORTS, Estimates
from tests import project as use
from tests.project import CONFIG

METHODS = ["finetune", "lora", "dapt", "majority"]
STEPS, BATCH, TOKENS = 50, 8, 16


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in the current folder."""
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(width: int = 16, **changes: Any) -> Plan:
    """A plan of one task and backbone."""
    task = {"budgets": [4, 8], "domains": {"en": "meta_train", "nl": "meta_test"}}
    task |= {"train": {"steps": STEPS, "batch_size": BATCH}, **changes}
    backbones = {"encoder": use.backbone("bert", "wikiann", width=width, layers=2)}
    use.write_config(Path(), {"methods": METHODS, "tasks": {"wikiann": task}, "backbones": backbones})
    return make_plan(CONFIG)


def block_of(plan: Plan, method: str) -> Block:
    return plan.block("wikiann", method)


def finish(plan: Plan, method: str, training: float, predicting: float, status: str = "done") -> None:
    """Let the first cell of a method have taken so many seconds."""
    cell = block_of(plan, method).cells[0]
    costs = {"adaptation_seconds": training, "prediction_seconds": predicting, "trained_tokens": STEPS * BATCH * TOKENS}
    write_done(Path(cell.folder), {"fingerprint": cell.fingerprint}, [], costs)
    if status != "done":
        write_json(Path(cell.folder) / "record.json", {"fingerprint": cell.fingerprint, "status": status, "costs": {}})


def test_a_run_without_cells_takes_as_its_backbone_is_large(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "BESIDE", 0.0)
    small, large = planned(width=16), planned(width=160)

    def seconds(plan: Plan) -> float:
        return Estimates(plan).block(block_of(plan, "lora")) - IMPORTS

    assert seconds(large) == pytest.approx(100 * seconds(small))
    # Two cells of 12 squares of the width a layer, forward and backward on 128 / 4 tokens, and 300 tests forward.
    sentences = 6 * STEPS * BATCH + 2 * estimate.TESTS
    assert seconds(small) == pytest.approx(2 * sentences * 32 * 2 * 12 * 16**2 / estimate.RATE)
    twice = planned(train={"steps": 2 * STEPS, "batch_size": BATCH}, test_examples=2 * estimate.TESTS)
    assert seconds(twice) == pytest.approx(seconds(small) * (sentences + 6 * STEPS * BATCH) / sentences)


def test_finished_cells_say_what_others_take(project: Path) -> None:
    plan = planned()
    finish(plan, "lora", training=30.0, predicting=7.0)
    estimates = Estimates(plan)
    assert estimates.missing(block_of(plan, "lora")) == 1
    for method, missing in (("lora", 1), ("finetune", 2)):  # a method without any takes as its task's others
        assert estimates.block(block_of(plan, method)) == pytest.approx(missing * 37.0 + IMPORTS)
    finish(plan, "finetune", training=60.0, predicting=7.0)
    estimates = Estimates(plan)
    assert estimates.block(block_of(plan, "finetune")) == pytest.approx(67.0 + IMPORTS)
    assert estimates.block(block_of(plan, "lora")) == pytest.approx(37.0 + IMPORTS)
    assert estimates.block(block_of(plan, "dapt")) == pytest.approx(2 * (45.0 + 7.0) + IMPORTS)
    assert estimates.block(block_of(plan, "majority")) < IMPORTS + 1


def test_what_was_measured_is_carried_to_longer_trainings(project: Path) -> None:
    plan = planned()
    finish(plan, "lora", training=30.0, predicting=7.0)
    finish(plan, "finetune", training=1.0, predicting=1.0, status="error")  # says nothing
    estimates = Estimates(plan)
    other = block_of(planned(train={"steps": 3 * STEPS, "batch_size": BATCH}), "finetune")
    assert estimates._seconds(other, "training") * estimates._operations(other)[0] == pytest.approx(90.0)


def test_a_whole_run_has_nothing_left(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = planned(budgets=[4])
    for method in METHODS:
        finish(plan, method, 1.0, 1.0)
    for job in [*plan.backbones, *plan.prepares[0].parts]:
        write_json(Path(job.done), {"cost": {"seconds": 3.0}})
    assert main(["plan", "--configfile", CONFIG]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "4 cells; about 0 minutes on one core, 0 on two, by the 3 that are done"
    )


def test_preparations_take_as_those_that_stand(project: Path) -> None:
    plan = planned()
    (job,) = plan.prepares
    options = job.options
    assert job.sentences == options["steps"] * options["batch_size"]
    guess = Estimates(plan).preparation(job, 2)
    assert guess > IMPORTS
    write_json(Path(job.parts[0].done), {"cost": {"seconds": 41.0}})
    assert Estimates(plan).preparation(job, 2) == pytest.approx(82.0 + IMPORTS)
    assert Estimates(plan).preparation(job, 0) == 0


def test_data_that_stand_say_how_long_sentences_are(project: Path) -> None:
    plan = planned(test_examples=50)
    job = plan.data_of("wikiann")
    rows = [{"id": str(place), "tokens": ["abcdefg"] * 5, "tags": ["O"] * 5} for place in range(60)]
    for folder in job.folders.values():
        write_lines(Path(folder) / "train.jsonl", rows)
        write_lines(Path(folder) / "test.jsonl", rows[:40])
    estimates = Estimates(plan)
    assert estimates._tokens == {"wikiann": pytest.approx(39 / 4)}
    assert estimates._tests == {"wikiann": 40}


def test_a_checkpoint_is_as_large_as_its_weights(tmp_path: Path) -> None:
    shapes = {"bert.embeddings.word_embeddings.weight": (30, 4), "bert.encoder.layer.0.output.dense.weight": (4, 4)}
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, tmp_path / "model.safetensors")
    here = BackboneJob("encoder", {"source": "local", "path": str(tmp_path)}, "", "", {})
    assert estimate._parameters_of(here) == (16.0, 120.0)
    unfetched = BackboneJob("encoder", {"source": "hub", "id": "a/b"}, str(tmp_path / "nowhere"), "", {})
    assert estimate._parameters_of(unfetched) == (estimate.UNKNOWN, 0.0)
