"""The folders that `headstart new` writes pass `headstart check` and run as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from harness.cli.main import main
from harness.cli.new import copy_template, kinds, template_of
from harness.contracts.discover import tasks
from harness.contracts.method import Kind
from harness.data.task import load_task
from tests.project import backbone, copy_project

# For each kind the architecture of a backbone under the name that its template asks for, and a metric that it prints.
RUNS = {
    "causal-lm": ("decoder", "gpt2", "perplexity"),
    "token-classification": ("encoder", "bert", "f1"),
    "sequence-classification": ("encoder", "bert", "accuracy"),
    "summarization": ("encoder_decoder", "bart", "rouge1"),
    "data-to-text": ("decoder", "gpt2", "bleu"),
    "dialogue": ("decoder", "gpt2", "perplexity"),
}


def configure(folder: Path, name: str, architecture: str, **lengths: int) -> None:
    """A run of the method `mine` on the task `notes`."""
    config: dict[str, Any] = {
        "output": "results",
        "seeds": [0],
        "methods": ["mine"],
        "tasks": {"notes": {"train": {"steps": 2}, "budgets": [4], "test_examples": 4, **lengths}},
        "backbones": {name: backbone(architecture, "notes")},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config))


def test_every_kind_of_task_has_a_template() -> None:
    assert sorted(get_args(Kind)) == kinds() == sorted(RUNS)


@pytest.mark.parametrize("kind", RUNS)
def test_a_new_task_and_a_new_method_run_together(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["new", "task", "notes", "--kind", kind]) == 0
    assert main(["new", "method", "mine"]) == 0
    name, architecture, metric = RUNS[kind]
    configure(
        tmp_path, name, architecture, **({} if kind == "dialogue" else {"target_length": 4})
    )  # a reply is never cut
    assert main(["check", "--configfile", "run.yaml"]) == 0
    assert "all is well" in capsys.readouterr().out
    assert main(["run", "--configfile", "run.yaml", "--task", "notes", "--method", "mine"]) == 0
    assert metric in capsys.readouterr().out


def test_a_new_task_without_a_kind_is_of_language_modelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "tasks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["new", "task", "notes"]) == 0
    assert "kind: causal-lm" in (tmp_path / "tasks" / "notes" / "task.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["method", "mine"], "choose another name"),
        (["method", "Not-A-Name"], "use small letters"),
        (["task", "notes", "--kind", "sumarization"], "--kind is 'sumarization'; did you mean 'summarization'?"),
        (
            ["task", "notes", "--kind", "x"],
            "use one of causal-lm, data-to-text, dialogue, sequence-classification, summarization, token-",
        ),
        (["method", "other", "--kind", "causal-lm"], "a method has no kind"),
    ],
)
def test_what_cannot_be_new_is_refused(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "methods" / "mine").mkdir(parents=True)
    (tmp_path / "tasks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["new", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("headstart: ")
    assert told in line
    assert not (tmp_path / "tasks" / "notes").exists()


@pytest.mark.parametrize("kind", RUNS)
def test_the_commented_reader_of_a_template_can_be_taken(kind: str, tmp_path: Path) -> None:
    copy_template(template_of("task", kind), tmp_path / "tasks" / "notes")
    file = tmp_path / "tasks" / "notes" / "task.yaml"
    before, local, after = file.read_text().partition("  # local:\n")
    file.write_text(before + "  local:\n" + "".join(line.replace("# ", "", 1) for line in after.splitlines(True)))
    task = load_task(tasks(tmp_path)["notes"])
    assert local
    assert task.spec.sources["local"].reader
