"""C-score: a judge against a plain loop, judges that cannot judge, and what of a judge stands in plans and scores."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertForSequenceClassification

from harness.adapt.record import SCORES, write_done
from harness.base.errors import NotHere, UserError
from harness.base.files import read_json
from harness.contracts.discover import tasks
from harness.contracts.plan import Plan
from harness.data.build import build_domain, check_job, standing, task_of
from harness.plan.entry import make_plan
from harness.plan.judges import check_judges
from harness.score.judge import Judge, judge_folder
from harness.score.score import score_cell, score_rows
from tests import project as use
from tests.models import POSITIONS, sentences, tokenizer_for
from tests.project import CONFIG

KIND: Any = "dialogue"
LABELS = {0: "CONTRADICTION", 1: "ENTAILMENT", 2: "NEUTRAL"}  # in another order and other letters than ours
WORTH = {"ENTAILMENT": 1, "NEUTRAL": 0, "CONTRADICTION": -1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random classifier whose answers differ from pair to pair."""
    made = tmp_path_factory.mktemp("judge") / "nli"
    tokenizer = tokenizer_for("bert")
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=POSITIONS, initializer_range=0.5, pad_token_id=tokenizer.pad_token_id, id2label=LABELS,
        label2id={name: place for place, name in LABELS.items()},
    )  # fmt: skip
    torch.manual_seed(6)
    BertForSequenceClassification(config).eval().save_pretrained(made)
    tokenizer.save_pretrained(made)
    return made


@cache
def libraries(folder: Path) -> tuple[Any, Any]:
    return AutoModelForSequenceClassification.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def plain(folder: Path, pairs: list[tuple[str, str]]) -> list[int]:
    """Each pair alone, by the libraries themselves."""
    model, tokenizer = libraries(folder)
    found = []
    for text, sentence in pairs:
        read = tokenizer(text, sentence, truncation=True, max_length=POSITIONS, return_tensors="pt")
        with torch.no_grad():
            logits = model(**read).logits
        found.append(WORTH[model.config.id2label[int(logits[0].argmax())]])
    return found


@cache
def texts() -> tuple[str, ...]:
    return tuple(Random(1).sample(sentences(), 40))


def rows() -> list[dict[str, Any]]:
    """Dialogues of one to three replies by personas of one to three sentences; one reply is empty, one is too long."""
    rng, found = Random(2), []
    for number in range(12):
        replies = rng.sample(texts(), rng.randint(1, 3))
        persona = [text[:60] for text in rng.sample(texts(), rng.randint(1, 3))]
        turns = [["So?", "True reply."] for _ in replies]
        found.append({"id": str(number), "turns": turns, "persona": persona, "predicted": {"replies": replies}})
    found[0]["predicted"]["replies"][0] = ""
    found[1]["predicted"]["replies"][0] = " ".join(texts())
    return found


def test_a_judge_says_what_a_plain_loop_says(folder: Path) -> None:
    pairs = [(reply, its) for row in rows() for reply in row["predicted"]["replies"] for its in row["persona"]]
    judged = Judge(folder).judge([*pairs, *pairs[:5]])
    assert judged == plain(folder, [*pairs, *pairs[:5]])
    assert set(judged) == {-1, 0, 1}


def test_the_score_is_a_sum_over_sentences_and_a_mean_over_replies(folder: Path) -> None:
    sums = [
        [sum(plain(folder, [(reply, its) for its in row["persona"]])) for reply in row["predicted"]["replies"]]
        for row in rows()
    ]
    found = score_rows(KIND, rows(), {"c_score": {"model": "nli", "identity": "a"}}, {"c_score": folder})
    every = [its for row in sums for its in row]
    assert found["scores"]["c_score"] == pytest.approx(sum(every) / len(every))
    assert found["statistics"]["c_score"] == [[sum(row), len(row)] for row in sums]
    assert found["options"]["c_score"] == {"model": "nli", "identity": "a"}
    assert len(set(every)) > 2


def test_without_a_judge_or_replies_there_is_no_score(folder: Path) -> None:
    assert "c_score" not in score_rows(KIND, rows())["scores"]
    without = [row | {"predicted": {"nll": 1.0, "tokens": 2}} for row in rows()]
    assert score_rows(KIND, without, {}, {"c_score": folder})["scores"].keys() == {"perplexity"}


def changed(**fields: Any) -> Callable[[Path], Any]:
    """A change of config.json; None takes a field out."""

    def change(folder: Path) -> None:
        file = folder / "config.json"
        content = json.loads(file.read_text()) | fields
        file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))

    return change


def headless(folder: Path) -> None:
    BertForSequenceClassification.from_pretrained(folder).bert.save_pretrained(folder)
    changed(architectures=None, id2label={"0": "neutral", "1": "entailment", "2": "contradiction"})(folder)


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no names": (changed(id2label=None), r"config\.json.*id2label is None; a judge's labels are entailment"),
    "other names": (
        changed(id2label={"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}),
        r"id2label is \{'0': 'LABEL_0'.*; a judge's labels are entailment, neutral, contradiction and no others",
    ),
    "two names": (changed(id2label={"0": "entailment", "1": "not_entailment"}), "id2label is .*not_entailment"),
    "a name twice": (changed(id2label={"0": "neutral", "1": "Neutral", "2": "entailment"}), "id2label is .*Neutral"),
    "no head by its name": (
        changed(architectures=["BertModel"]),
        r"architectures is \['BertModel'\]; the checkpoint has no head that classifies texts",
    ),
    "no head by its weights": (headless, r"the weights that are missing is .*classifier\.weight.*mean nothing so"),
    "no weights": (lambda its: (its / "model.safetensors").unlink(), "the weights is None"),
    "no tokenizer": (lambda its: (its / "tokenizer.json").unlink(), "the files of a tokenizer is None"),
    "no config": (lambda its: (its / "config.json").unlink(), "config.json is missing"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_cannot_judge_is_refused(fault: str, folder: Path, tmp_path: Path) -> None:
    breaks, told = BROKEN[fault]
    shutil.copytree(folder, tmp_path / "nli")
    breaks(tmp_path / "nli")
    with pytest.raises(UserError, match=told):
        Judge(tmp_path / "nli")


def planned(folder: Path, metrics: dict[str, Any] | None, **changes: Any) -> Plan:
    run = {"budgets": [2], "scored_domains": 2, "generates": True, "target_length": 40} | changes
    run |= {} if metrics is None else {"metrics": metrics}
    spec = {"persona_decoder": use.backbone("gpt2", "persona", max_length=128)}
    use.config(methods=["echo"], tasks={"persona": run}, backbones=spec, rates="search")(folder)
    return make_plan(CONFIG)


def test_a_judge_is_in_the_plan_by_what_it_is_and_in_no_cell(folder: Path, project: Path) -> None:
    without, judge = planned(project, None), {"c_score": {"model": str(folder)}}
    plan = planned(project, judge)
    its = plan.tasks["persona"].judges["c_score"]
    assert (its["model"], its["revision"], its["folder"]) == ("nli", None, str(folder))
    assert plan.tasks["persona"].options_of("x")["c_score"] == {"model": "nli", "identity": its["identity"]}
    assert {cell.fingerprint for cell in plan.cells()} == {cell.fingerprint for cell in without.cells()}
    assert [job.fingerprint for job in plan.tunes] == [job.fingerprint for job in without.tunes]
    assert plan.scored("persona") != without.scored("persona")
    moved = Path(shutil.copytree(folder, project / "elsewhere"))
    assert planned(project, {"c_score": {"model": str(moved)}}).scored("persona") == plan.scored("persona")
    changed(initializer_range=0.1)(moved)
    assert planned(project, {"c_score": {"model": "elsewhere"}}).scored("persona") != plan.scored("persona")
    of_hub = planned(project, {"c_score": {"model": "x/nli", "revision": "0" * 40}}).tasks["persona"]
    assert of_hub.options_of("x")["c_score"] == {"model": "x/nli", "identity": "0" * 40}


def test_a_cell_is_scored_again_by_another_judge_alone(folder: Path, project: Path) -> None:
    plan = planned(project, {"c_score": {"model": str(folder)}})
    cell, task = next(plan.cells()), plan.tasks["persona"]
    identity = {"fingerprint": cell.fingerprint}
    write_done(Path(cell.folder), identity, rows(), {})
    assert score_cell(cell, task) == "done"
    first = read_json(Path(cell.folder) / SCORES)
    assert first["options"]["c_score"]["identity"] == task.judges["c_score"]["identity"]
    assert score_cell(cell, task) == "done"
    assert read_json(Path(cell.folder) / SCORES) == first
    other = {"c_score": task.judges["c_score"] | {"identity": "another"}}
    assert score_cell(cell, replace(task, judges=other)) == "done"
    assert read_json(Path(cell.folder) / SCORES)["key"] != first["key"]


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"c_score": {"model": "nowhere"}}, {}, r"run\.yaml: line \d+: .*metrics\.c_score\.model is 'nowhere'; no"),
    ({"c_score": {"model": "$NO_SUCH_PLACE/nli"}}, {}, "the environment variable NO_SUCH_PLACE is not set"),
    ({"c_score": {"model": "x/nli", "revision": "main"}}, {}, "write the 40 digits of a commit"),
    ({"c_score": {"model": "x"}}, {"generates": False}, r"metrics\.c_score\.model is 'x'; .*generates: true"),
    ({"rouge": {"tokenizer": "unicode"}}, {}, r"tasks\.persona\.metrics is 'rouge'"),
]  # fmt: skip


@pytest.mark.parametrize(("metrics", "changes", "told"), REFUSED)
def test_what_a_run_cannot_measure_is_refused(
    metrics: dict[str, Any], changes: dict[str, Any], told: str, project: Path
) -> None:
    with pytest.raises(UserError, match=told):
        planned(project, metrics, **changes)


def test_a_dialogue_without_persona_is_refused_where_it_is_judged(folder: Path, project: Path) -> None:
    plan, found = planned(project, {"c_score": {"model": str(folder)}}), tasks()["persona"]
    job = plan.data[0]
    domain = plan.tasks["persona"].domains[0]
    build_domain(found, "embedded", domain, Path(job.folders[domain]))
    read, few = standing(job.folders), replace(job, roles={domain: "meta_test"})
    check_job(task_of(found, few), few, read)

    def without(domain: str, split: str) -> list[dict[str, Any]]:
        return [{name: value for name, value in row.items() if name != "persona"} for row in read(domain, split)]

    with pytest.raises(UserError, match=rf"persona: {domain}-test-0: the persona is None; .*c_score.* judges replies"):
        check_job(task_of(found, few), few, without)
    unjudged = replace(few, metric_options={})
    check_job(task_of(found, unjudged), unjudged, without)


def test_judges_are_tried_before_a_run(folder: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_judges(planned(project, {"c_score": {"model": str(folder)}}), fetch=True) == [
        "c_score of persona: nli judges replies"
    ]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    plan = planned(project, {"c_score": {"model": "x/nli", "revision": "0" * 40}})
    assert check_judges(plan, fetch=False) == [
        "c_score of persona: x/nli is not here yet; it is fetched when the run begins"
    ]
    with pytest.raises(NotHere, match="the model is 'x/nli'; it cannot be fetched"):
        check_judges(plan, fetch=True)
    assert judge_folder(plan.tasks["persona"].judges["c_score"] | {"revision": None, "folder": "a"}) == Path("a")
