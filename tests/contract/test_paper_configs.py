"""The papers' own settings run as they are written, but for their sizes, on stand-ins for the models and the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import yaml

from harness.cli.main import main
from harness.contracts.discover import tasks
from harness.contracts.task import Sizes
from harness.data.task import load_task
from tests.models import write_checkpoint
from tests.project import copy_project

PRIMING = "config/paper/gheini2023-priming-cross_lingual_ner.yaml"
GLUE = "config/paper/hou2022-mltd-table5.yaml"
# A language of the embedded source stands in for each of the paper's.
STAND_INS = {"en": "en", "es": "es", "hi": "de", "af": "fr", "az": "it", "lt": "pt", "et": "fi", "nl": "nl"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shrunk(file: str, task: str, **changes: Any) -> None:
    """The configuration with small sizes, and no other change, as run.yaml."""
    content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    run = content["tasks"][task]
    run |= {"budgets": [8], "max_length": 48, "test_examples": 4}
    run["train"] |= {"epochs": 1, "batch_size": 4}
    if "meta" in run.get("prepare", {}):
        run["prepare"]["meta"]["outer"] |= {"iterations": 2, "query": 4}
        run["prepare"]["meta"]["inner"] |= {"batch_size": 2}
    Path("run.yaml").write_text(yaml.safe_dump(content | changes))


def write_wikiann(folder: Path) -> None:
    """Files in the layout of Rahimi et al.: a word a line with its language and its tag."""
    task = load_task(tasks()["wikiann"])
    for language, ours in STAND_INS.items():
        splits = task.at(ours).read_embedded(ours, Sizes(train=12, dev=4, test=4))
        (folder / language).mkdir(parents=True)
        for split in ("train", "dev", "test"):
            blocks = (
                "".join(f"{language}:{word}\t{tag}\n" for word, tag in zip(one["tokens"], one["tags"], strict=True))
                for one in splits[split]
            )
            (folder / language / split).write_text("\n".join(blocks), encoding="utf-8")


def test_priming_as_the_paper_has_it_runs_on_stand_ins(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wikiann(project / "data" / "wikiann")
    monkeypatch.setenv("HEADSTART_DATA", str(project / "data"))
    asked: list[tuple[str, str]] = []

    def fetch(name: str, revision: str, local_dir: Path) -> None:
        asked.append((name, revision))
        write_checkpoint(Path(local_dir), "bert")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    shrunk(PRIMING, "wikiann", seeds=[0])
    words = ["--task", "wikiann", "--method", "primed_adapter", "--domain", "nl", "--budget", "8"]
    assert main(["run", "--configfile", "run.yaml", *words]) == 0
    assert "wikiann primed_adapter nl k=8 seed 0: f1" in capsys.readouterr().out
    content = yaml.safe_load(Path(PRIMING).read_text(encoding="utf-8"))
    mbert = content["backbones"]["mbert"]
    assert asked == [(mbert["id"], mbert["revision"])]
    output = project / content["output"]
    record = json.loads(next(output.glob("cells/**/record.json")).read_text())
    assert record["status"] == "done"
    assert (record["model"]["from"], record["model"]["revision"]) == asked[0]
    prepared = json.loads(next(output.glob("prepared/**/prepared.json")).read_text())
    assert prepared["cost"]["tokens"] > 0


def test_where_the_hub_is_out_of_reach_all_else_is_checked(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import datasets

    def load(*_: Any, **__: Any) -> None:
        raise ConnectionError("no way to the hub")

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert main(["check", "--configfile", GLUE]) == 0
    told = capsys.readouterr().out
    assert "320 cells; all that can be seen without the hub is well" in told
    assert "not looked at: the data of glue, since hub data set nyu-mll/glue" in told
    assert main(["plan", "--configfile", GLUE]) == 0
    told = capsys.readouterr().out
    assert "320 cells; about " in told
    assert " hours on one core" in told


def test_files_that_should_be_here_are_still_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HEADSTART_DATA", raising=False)
    assert main(["plan", "--configfile", PRIMING]) == 2
    assert "HEADSTART_DATA is not set" in capsys.readouterr().err
