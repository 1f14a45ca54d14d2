"""What a run is said to take follows its backbones' sizes, and what its finished cells took."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from harness.adapt.record import write_done
from harness.base.files import write_json, write_lines
from harness.cli.main import main
from harness.contracts.plan import BackboneJob, Block, Plan
from harness.parts.offered import preparations
from harness.plan import sizes, work
from harness.plan.entry import make_plan
from harness.plan.estimate import CELL, JOB, Estimates
from harness.plan.lengths import Lengths
from harness.plan.sizes import size_of
from harness.plan.work import Work
from tests import project as use
from tests.project import CONFIG

METHODS = ["finetune", "lora", "dapt", "majority"]
STEPS, BATCH, TOKENS = 50, 8, 32  # a quarter of the longest input, as long as no data stand
TESTS = 600  # of the embedded task


def planned(width: int = 16, layers: int = 2, methods: list[str] = METHODS, **changes: Any) -> Plan:
    """A plan of one task and backbone."""
    task = {"budgets": [4, 8], "domains": {"en": "meta_train", "nl": "meta_test"}}
    task |= {"train": {"steps": STEPS, "batch_size": BATCH}, **changes}
    backbones = {"encoder": use.backbone("bert", "wikiann", width=width, layers=layers)}
    use.write_config(Path(), {"methods": methods, "tasks": {"wikiann": task}, "backbones": backbones})
    return make_plan(CONFIG)


def block_of(plan: Plan, method: str) -> Block:
    return plan.block("wikiann", method)


def finish(plan: Plan, method: str, training: float, predicting: float, status: str = "done") -> None:
    """Let the first cell of a method have taken so many seconds."""
    cell = block_of(plan, method).cells[0]
    costs = {"adaptation_seconds": training, "prediction_seconds": predicting}
    write_done(Path(cell.folder), {"fingerprint": cell.fingerprint}, [], costs)
    if status != "done":
        write_json(Path(cell.folder) / "record.json", {"fingerprint": cell.fingerprint, "status": status, "costs": {}})


def test_a_run_without_cells_takes_as_its_backbone_is_large(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for beside in ("STEP", "LEFT", "LAYER", "ELEMENT"):
        monkeypatch.setattr(work, beside, 0.0)
    small, large = planned(width=16), planned(width=160)

    def seconds(plan: Plan) -> float:
        return Estimates(plan).block(block_of(plan, "finetune")) - 2 * CELL - JOB

    assert seconds(large) == pytest.approx(100 * seconds(small))
    # Two cells of 12 squares of the width a layer, forward and backward on some sentences, and tests forward.
    sentences = 6 * STEPS * BATCH + 2 * TESTS
    assert seconds(small) == pytest.approx(2 * sentences * TOKENS * 2 * 12 * 16**2 / work.RATE)
    twice = planned(train={"steps": 2 * STEPS, "batch_size": BATCH}, test_examples=TESTS // 2)
    assert seconds(twice) == pytest.approx(seconds(small) * (sentences + 6 * STEPS * BATCH - TESTS) / sentences)


def test_layers_that_are_left_as_they_are_read_each_sentence_once(project: Path) -> None:
    """In twelve layers, a method whose body is frozen takes a fraction of one that trains the body."""
    plan = planned(width=384, layers=12, budgets=[100], methods=["finetune", "adapter_last", "head", "lora", "top2"])
    reckoned = Work(plan)
    times = {block.method: reckoned.training(block) for block in plan.blocks}
    for method in ("adapter_last", "head"):
        once = 100 * TOKENS * 12 * 12 * 384**2 * work.READ / work.RATE
        assert once < times[method] < once + STEPS * 0.03
        assert times[method] < times["finetune"] / 6
    assert times["head"] < times["top2"] < times["finetune"] / 3
    assert times["lora"] == times["finetune"]
    long = planned(
        width=384, layers=12, budgets=[100], methods=["head"], train={"steps": 10 * STEPS, "batch_size": BATCH}
    )
    (block,) = long.blocks
    assert Work(long).training(block) < times["head"] + 10 * STEPS * 0.03


def test_finished_cells_say_what_others_take(project: Path) -> None:
    plan = planned()
    finish(plan, "lora", training=30.0, predicting=7.0)
    estimates = Estimates(plan)
    assert estimates.missing(block_of(plan, "lora")) == 1
    for method, missing in (("lora", 1), ("finetune", 2)):  # a method without any takes as its task's others
        assert estimates.block(block_of(plan, method)) == pytest.approx(missing * (37.0 + CELL) + JOB)
    finish(plan, "finetune", training=60.0, predicting=7.0)
    estimates = Estimates(plan)
    assert estimates.block(block_of(plan, "finetune")) == pytest.approx(67.0 + CELL + JOB)
    assert estimates.block(block_of(plan, "lora")) == pytest.approx(37.0 + CELL + JOB)
    assert estimates.block(block_of(plan, "dapt")) == pytest.approx(2 * (45.0 + 7.0 + CELL) + JOB)
    assert estimates.block(block_of(plan, "majority")) == pytest.approx(2 * CELL + JOB)


def test_what_was_measured_is_carried_to_other_trainings(project: Path) -> None:
    plan = planned()
    finish(plan, "lora", training=30.0, predicting=7.0)
    finish(plan, "finetune", training=1.0, predicting=1.0, status="error")  # says nothing
    estimates = Estimates(plan)
    other = block_of(planned(train={"steps": 3 * STEPS, "batch_size": BATCH}), "finetune")
    assert estimates._cell(other) == pytest.approx(3 * 30.0 + 7.0)


def test_preparations_alone_say_what_cells_take(project: Path) -> None:
    plan = planned()
    (job,) = plan.prepares
    before = Estimates(plan)
    cell = before._cell(block_of(plan, "lora"))
    assert before.checkpoints == 0
    for factor in (3.0, 0.5):
        write_json(Path(job.parts[0].done), {"cost": {"seconds": factor * before.work.preparing(job)}})
        after = Estimates(plan)
        assert (after.cells, after.checkpoints) == (0, 1)
        assert after._cell(block_of(plan, "lora")) == pytest.approx(factor * cell)
    finish(plan, "finetune", training=60.0, predicting=7.0)  # from then on cells do
    assert Estimates(plan)._cell(block_of(plan, "lora")) == pytest.approx(67.0)


def test_a_trial_is_scored_on_fewer_examples_and_shares_what_is_frozen(project: Path) -> None:
    domains = {"en": "meta_train", "fr": "meta_dev", "nl": "meta_test"}
    changes: dict[str, Any] = {"width": 384, "layers": 12, "budgets": [100], "rates": "search"}
    plan = planned(methods=["adapter_last", "finetune"], domains=domains, test_examples=100, **changes)
    reckoned = Work(plan)
    for job in plan.tunes:
        block = block_of(plan, job.method)
        assert reckoned.predicting(job) == pytest.approx(reckoned.predicting(block))  # a hundred of both
    frozen, whole = sorted(plan.tunes, key=lambda job: job.method)
    assert reckoned.training(frozen) < 0.4 * reckoned.training(block_of(plan, "adapter_last"))
    assert reckoned.training(whole) == pytest.approx(reckoned.training(block_of(plan, "finetune")))
    fewer = planned(methods=["adapter_last"], domains={"en": "meta_train", "nl": "meta_test"}, **changes)
    (held_out,) = fewer.tunes
    assert held_out.held_out
    assert Work(fewer).predicting(held_out) < Work(fewer).predicting(block_of(fewer, "adapter_last")) / 3


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
    assert guess > JOB
    write_json(Path(job.parts[0].done), {"cost": {"seconds": 41.0}})
    assert Estimates(plan).preparation(job, 2) == pytest.approx(82.0 + JOB)
    assert Estimates(plan).preparation(job, 0) == 0


def test_a_preparation_of_what_is_added_leaves_the_backbone(project: Path) -> None:
    names = ["meta_adapter", "primed_adapter", "primed_adapter_maml", "multitask_adapter"]
    plan = planned(width=384, layers=12, methods=names)
    times = {job.method: Work(plan).preparing(job) for job in plan.prepares}
    assert times["meta_adapter"] < times["primed_adapter"] < times["primed_adapter_maml"]
    assert times["meta_adapter"] < times["primed_adapter_maml"] / 2  # a pass forward, and none back


def test_a_task_on_a_second_backbone_is_reckoned_by_its_size(project: Path) -> None:
    backbones = {name: use.backbone("bert", "wikiann", width=width) for name, width in (("encoder", 16), ("wider", 64))}
    task = {"budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}, "backbones": list(backbones)}
    use.write_config(Path(), {"methods": METHODS, "tasks": {"wikiann": task}, "backbones": backbones})
    plan = make_plan(CONFIG)
    estimates, reckoned = Estimates(plan), Work(plan)
    first, second = plan.block("wikiann", "lora"), plan.block("wikiann@wider", "lora")
    assert reckoned.training(second) > reckoned.training(first)
    assert estimates.block(second) > estimates.block(first)
    times = [estimates.preparation(job, 1) for job in plan.prepares]
    assert len(times) == 2
    assert times[1] > times[0]


def test_data_that_stand_say_how_long_sentences_are(project: Path) -> None:
    plan = planned(test_examples=50)
    job = plan.data_of("wikiann")
    rows = [{"id": str(place), "tokens": ["abcdefg"] * (5 + 5 * (place % 2)), "tags": []} for place in range(60)]
    for folder in job.folders.values():
        write_lines(Path(folder) / "train.jsonl", rows)
        write_lines(Path(folder) / "test.jsonl", rows[:40])
    found = Lengths(plan)
    short, long = 39 / 4, 79 / 4
    assert found.tokens("wikiann") == pytest.approx((short + long) / 2)
    assert found.padded("wikiann", 1) == pytest.approx(found.tokens("wikiann"))
    assert found.padded("wikiann", 2) == pytest.approx(short / 4 + 3 * long / 4)  # the longer of two
    assert found.tests("wikiann") == 40
    assert found.learned("wikiann", 1000) == 60
    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    Path(plan.backbones[0].checkpoint).mkdir(parents=True)
    words.save(str(Path(plan.backbones[0].checkpoint) / "tokenizer.json"))
    assert Lengths(plan).tokens("wikiann") == pytest.approx(7.5)  # words: by the backbone's own tokenizer


def talking(project: Path, replies: int) -> Plan:
    """A plan of dialogues that stand, each with so many replies."""
    domains = {"ada": "meta_train", "agnes": "meta_train", "albert": "meta_dev", "alma": "meta_test"}
    task = {"budgets": [2], "domains": domains, "train": {"epochs": 3, "batch_size": 2}}
    names = {"methods": ["multitask", "cmaml"], "tasks": {"persona": task}}
    use.write_config(project, names | {"backbones": {"persona_decoder": use.backbone("gpt2", "persona")}})
    plan = make_plan(CONFIG)
    rows = [{"id": str(place), "turns": [["abcd", "efghijk"]] * replies} for place in range(8)]
    for folder in plan.data_of("persona").folders.values():
        for split in ("train", "test"):
            write_lines(Path(folder) / f"{split}.jsonl", rows)
    return plan


def test_a_dialogue_is_as_many_sentences_as_it_has_replies(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "ELEMENT", 0.0)
    monkeypatch.setattr(work, "LAYER", 0.0)
    exchange = len("them: abcd me: efghijk ") / 4
    read = {}
    for replies in (1, 3):
        plan = talking(project, replies)
        block, found = plan.block("persona", "multitask"), Work(plan)
        assert found.lengths.sentences("persona") == replies
        mean = fmean(many * exchange - 0.25 for many in range(1, replies + 1))
        assert found.lengths.tokens("persona") == pytest.approx(mean)
        assert found.sentences(block) == 3 * 2 * replies  # epochs, dialogues
        read[replies] = found.predicting(block) / mean
    assert read[3] == pytest.approx(3 * read[1])
    assert Lengths(planned()).sentences("wikiann") == 1


def test_a_preparation_makes_tokens_of_all_that_it_reads(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five thousand replies that takes longer than a short training."""
    plan = talking(project, 3)
    (job,) = (job for job in plan.prepares if job.name == "multitask")
    whole = Work(plan)
    sentences = 2 * 8 * 3  # two domains of meta_train
    encoding = sentences * (work.TEXT + work.TOKEN * whole.lengths.tokens("persona"))
    took = whole.preparing(job)
    monkeypatch.setattr(work, "TEXT", 0.0)
    monkeypatch.setattr(work, "TOKEN", 0.0)
    assert took == pytest.approx(Work(plan).preparing(job) + encoding)
    assert encoding > 0


def test_structures_are_selected_in_every_domain() -> None:
    cmaml = preparations()["cmaml"](support=30)
    size = cmaml.model_dump()["meta"]["inner"]["batch_size"]
    counts = [sum(its.count for its in cmaml.passes(domains)) for domains in (0, 48)]
    assert counts[1] - counts[0] == 48 * -(-30 // size)


def test_a_checkpoint_is_as_large_as_its_weights(tmp_path: Path) -> None:
    shapes = {"bert.embeddings.word_embeddings.weight": (30, 4), "bert.encoder.layer.0.output.dense.weight": (4, 4)}
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, tmp_path / "model.safetensors")
    write_json(tmp_path / "config.json", {"model_type": "bert", "num_hidden_layers": 3})
    here = BackboneJob("encoder", {"source": "local", "path": str(tmp_path)}, "", "", {})
    found = size_of(here)
    assert (found.body, found.table, found.layers) == (16.0, 120.0, 3)
    unfetched = BackboneJob("encoder", {"source": "hub", "id": "a/b"}, str(tmp_path / "nowhere"), "", {})
    assert (size_of(unfetched).body, size_of(unfetched).layers) == (sizes.UNKNOWN, sizes.LAYERS)
    both = use.backbone("bart", "adaptsum", width=16, layers=2)
    assert size_of(BackboneJob("both", both, "", "", {})).layers == 4
