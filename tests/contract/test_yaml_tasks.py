"""Tasks of YAML alone over files of the user's own: `headstart check` accepts them and their cells run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.base.files import read_json, read_lines
from harness.cli.main import main
from harness.plan.entry import make_plan, release_locks
from harness.record.collect import collect
from tests.project import backbone, copy_project

ROLES = {"here": "meta_train", "there": "meta_test"}
NER = {
    "label": "Names in the news", "summary": "Four types.", "kind": "token-classification", "metric": "f1",
    "direction": "max", "version": 1, "citation": "none", "licence": "none", "max_length": 32, "backbone": "encoder",
    "budgets": [4], "types": ["PER", "ORG", "LOC", "MISC"],
}  # fmt: skip
HIGHLIGHTS = {
    "label": "Highlights", "summary": "One line.", "kind": "summarization", "metric": "rouge2", "direction": "max",
    "version": 1, "citation": "none", "licence": "none", "max_length": 32, "target_length": 4,
    "backbone": "encoder_decoder", "budgets": [4],
}  # fmt: skip
CONLL = {
    "format": "conll", "columns": {"token": 0, "tag": 3}, "scheme": "iob1", "documents": "-DOCSTART-",
    "files": {"train": "train.txt", "dev": "dev.txt", "test": "test.txt"},
}  # fmt: skip
JSONL = {
    "format": "jsonl", "columns": {"document": "article", "summary": "highlights"},
    "files": {"train": "{domain}-train.jsonl", "test": "{domain}-test.jsonl", "unlabeled": "{domain}-more.jsonl"},
}  # fmt: skip


def write(folder: Path, name: str, spec: dict[str, Any], reader: dict[str, Any]) -> None:
    """A task folder that holds a task.yaml and nothing else."""
    (folder / "tasks" / name).mkdir(exist_ok=True)
    local = {"folder": name, "domains": ROLES, "reader": reader}
    (folder / "tasks" / name / "task.yaml").write_text(yaml.safe_dump(spec | {"sources": {"local": local}}))


def write_ner(folder: Path) -> None:
    for domain in ROLES:
        (folder / domain).mkdir(parents=True)
        for split in ("train", "dev", "test"):
            sentences = [
                f"{domain}{split}{n} NNP I-NP I-PER\nmet VBD O O\nActa NNP I-NP I-ORG\nin IN O O\nRome NNP I-NP I-LOC\n"
                f"Milan NNP I-NP B-LOC\non IN O O\nEaster NNP I-NP I-MISC\n"
                for n in range(6)
            ]
            (folder / domain / f"{split}.txt").write_text("-DOCSTART- -X- O O\n\n" + "\n".join(sentences))


def write_highlights(folder: Path) -> None:
    folder.mkdir(parents=True)
    for domain in ROLES:
        for split in ("train", "test", "more"):
            rows = [
                {"article": f"{domain} {split} number {n}\nis here.", "highlights": f"{split} {n}"} for n in range(6)
            ]
            if split == "more":
                rows = [{"article": row["article"]} for row in rows]
            file = folder / f"{domain}-{split}.jsonl"
            file.write_text("\n".join(json.dumps(row) for row in rows))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two tasks of YAML alone, their data, and a run of both."""
    copy_project(tmp_path)
    write(tmp_path, "news", NER, CONLL)
    write(tmp_path, "highlights", HIGHLIGHTS, JSONL)
    write_ner(tmp_path / "data" / "news")
    write_highlights(tmp_path / "data" / "highlights")
    config = {
        "output": "out",
        "seeds": [0],
        "rates": "given",
        "methods": ["finetune"],
        "tasks": {name: {"source": "local", "train": {"steps": 2}} for name in ("news", "highlights")},
        "backbones": {"encoder": backbone("bert", "news"), "encoder_decoder": backbone("bart", "highlights")},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    return tmp_path


def test_check_accepts_them_and_a_cell_of_each_runs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not list(project.glob("tasks/news/*.py")) + list(project.glob("tasks/highlights/*.py"))
    assert main(["check", "--configfile", "own.yaml"]) == 0
    assert "2 cells; all is well" in capsys.readouterr().out
    for task, metrics in (("news", ["f1", "f1_MISC"]), ("highlights", ["rouge2"])):
        assert main(["run", "--configfile", "own.yaml", "--task", task, "--method", "finetune"]) == 0
        release_locks()
        told = capsys.readouterr().out
        assert told.startswith(f"{task} finetune there k=4 seed 0: ")
        assert all(f"{metric} " in told for metric in metrics)
    assert scored(project, "highlights")["options"]["rougeL"] == {"tokenizer": "english"}
    (example, *_) = read_lines(next(project.glob("out/data/news/local-there-*/test.jsonl")))
    assert example["tokens"] == ["theretest0", "met", "Acta", "in", "Rome", "Milan", "on", "Easter"]
    assert example["tags"] == ["B-PER", "O", "B-ORG", "O", "B-LOC", "B-LOC", "O", "B-MISC"]
    rows = read_lines(next(project.glob("out/data/highlights/local-here-*/unlabeled.jsonl")))
    assert rows[0] == {"id": "here-unlabeled-0", "document": "here more number 0 is here."}


def scored(folder: Path, task: str) -> dict[str, Any]:
    """What the one cell of a task was scored."""
    found: dict[str, Any] = read_json(next(folder.glob(f"out/cells/{task}/finetune/*/scores.json")))
    return found


def test_another_tokenizer_scores_again_without_training(project: Path) -> None:
    words = ["run", "--configfile", "own.yaml", "--task", "highlights", "--method", "finetune"]
    assert main(words) == 0
    release_locks()
    record = next(project.glob("out/cells/highlights/finetune/*/record.json"))
    before = record.stat().st_mtime_ns
    write(project, "highlights", HIGHLIGHTS | {"metrics": {"rouge": {"tokenizer": "unicode"}}}, JSONL)
    assert main(words) == 0
    release_locks()
    assert record.stat().st_mtime_ns == before
    assert scored(project, "highlights")["options"]["rouge2"] == {"tokenizer": "unicode"}
    rows = collect(make_plan("own.yaml")).dropna(subset="score").set_index(["task", "metric"])
    assert rows.options["highlights", "rouge1"] == '{"tokenizer": "unicode"}'
    assert rows.options["highlights", "bleu"] == '{"lowercase": false, "tokenizer": "13a"}'
