"""Paths that a person writes, and what tools leave in folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.base.paths import expanded, left_by_tools, own_files
from harness.cli.main import main
from harness.contracts.discover import methods, tasks
from harness.contracts.papers import papers
from harness.plan.entry import make_plan
from tests import project as use
from tests.project import CONFIG

LITTER = (
    ".ipynb_checkpoints/en.yaml", ".DS_Store", "Thumbs.db", "desktop.ini", "__pycache__/task.cpython-311.pyc",
    "._train", ".train.swp", "train~", "#train#", ".#task.py", "task.py.orig", "task.py.bak", "method.py~",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in the current folder, and a home and a variable to name."""
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RUNS", "~/runs")
    monkeypatch.setenv("NOTHING", "")
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~", "{home}"),
        ("~/a b", "{home}/a b"),
        ("$RUNS/x", "{home}/runs/x"),
        ("${RUNS}_x", "{home}/runs_x"),
        ("a/~", "a/~"),
        ("$ 5", "$ 5"),
        ("$5", "$5"),
        ("-a'b&(c)", "-a'b&(c)"),
    ],
)
def test_a_path_is_written_out_as_by_a_shell(text: str, path: str, project: Path) -> None:
    assert expanded(text, "run.yaml", "output") == path.format(home=project / "home")


@pytest.mark.parametrize(
    ("text", "named"), [("$NOWHERE/x", "NOWHERE"), ("${NO WHERE}", "NO WHERE"), ("$NOTHING/x", "NOTHING")]
)
def test_a_variable_that_is_not_set_is_refused_by_its_name(text: str, named: str, project: Path) -> None:
    with pytest.raises(UserError, match=f"output is .*the environment variable {named} is not set"):
        expanded(text, "run.yaml", "output")


def test_every_path_of_a_configuration_is_written_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use.checkpoint("bert")(project)
    use.write_config(project, {"output": "$RUNS/one", "backbones": {"encoder": {"source": "local", "path": "./model"}}})
    plain = make_plan(CONFIG)
    assert plain.output == plain.config["output"] == str(project / "home" / "runs" / "one")
    monkeypatch.setenv("MODELS", str(project))
    spec = {"encoder": {"source": "local", "path": "${MODELS}/model"}}
    use.write_config(project, {"output": "$RUNS/one", "backbones": spec})
    plan = make_plan(CONFIG)
    assert plan.backbone("encoder").checkpoint == str(project / "model")
    # The same files at a path written in another way are the same backbone.
    assert [cell.fingerprint for cell in plan.cells()] == [cell.fingerprint for cell in plain.cells()]


def test_headstart_data_is_written_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use.ner_data(project)
    monkeypatch.setenv("HOME", str(project))
    prints = []
    for value in (str(project / "data"), "~/data", "$HOME/data"):
        monkeypatch.setenv("HEADSTART_DATA", value)
        prints.append(make_plan(CONFIG).data)
    assert prints[0] == prints[1] == prints[2]


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("$NOWHERE/x", "NOWHERE is not set"),
        ("~nobody-of-that-name/x", "no such home"),
        ("runs/{task}", "wildcards"),
        ("a\nb", "line ends"),
        ("", "name a folder"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    output: str, told: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use.write_config(project, {"output": output})
    assert main(["check", "--configfile", CONFIG]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"headstart: {CONFIG}: line 1: output is {output!r}; ")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "told"), [("a{b}", "the folder's name is 'a{b}'"), ("a\nb", "the folder's name is 'a\\nb'")]
)
@pytest.mark.parametrize("kind", ["methods", "tasks", "papers"])
def test_a_folder_that_snakemake_cannot_name_is_refused(
    kind: str, name: str, told: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / kind / name).mkdir()
    assert main(["list", kind]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_a_backbone_that_snakemake_cannot_name_is_refused(project: Path) -> None:
    use.write_config(project, {"backbones": {"encoder{x}": use.backbone("bert", "wikiann")}})
    with pytest.raises(UserError, match=r"run.yaml: line 16: backbones is 'encoder\{x\}'; Snakemake reads"):
        make_plan(CONFIG)


def litter(folder: Path) -> None:
    """What editors, notebooks, file managers and interpreters leave in a folder."""
    for name in LITTER:
        use.text(str(folder / name), name)(Path())
    (folder / "task.py~").symlink_to("gone")


def prints(config: str = CONFIG) -> Any:
    """Every fingerprint of a plan."""
    plan = make_plan(config)
    return [plan.data, plan.backbones, plan.prepares, plan.blocks, plan.scoring]


def test_what_tools_leave_is_told_by_its_name() -> None:
    assert all(left_by_tools(Path(name).parts[0]) for name in LITTER)
    kept = ("train", "en.yaml", "task.py", "method.py", "_old", "#1.txt", "train.target", "backup.yaml", "model.bin")
    assert not any(left_by_tools(name) for name in kept)


def test_own_files_are_those_of_a_person(tmp_path: Path) -> None:
    litter(tmp_path)
    use.text("a/b/c.yaml", "")(tmp_path)
    use.text("d.py", "")(tmp_path)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert own_files(tmp_path) == own_files(tmp_path, ".py") == [tmp_path / "d.py"]
    assert own_files(tmp_path, deep=True) == [tmp_path / "a/b/c.yaml", tmp_path / "d.py"]
    assert own_files(tmp_path / "absent") == []


def test_what_tools_leave_changes_no_fingerprint_and_breaks_no_command(project: Path) -> None:
    use.ner_data(project)
    use.checkpoint("bert")(project)
    spec = {"encoder": {"source": "local", "path": "model"}}
    task = {"source": "local", "budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}}
    use.write_config(project, {"tasks": {"wikiann": task}, "backbones": spec})
    before, names = prints(), [list(methods()), list(tasks()), list(papers())]
    for place in ("methods", "methods/lora", "tasks", "tasks/wikiann", "tasks/wikiann/embedded", "papers", "model"):
        litter(project / place)
    for place in ("data/wikiann", "data/wikiann/nl", "data/wikiann/en"):
        litter(project / place)
    use.text("model/._config.json", "{}")(project)
    for name in ("lora.bak", "lora~", ".lora"):  # copies of a whole folder, half of one among them
        use.text(f"methods/{name}/notes.txt", "")(project)
    use.text("methods/gone/__pycache__/method.cpython-311.pyc", "")(project)  # its files went with another branch
    assert prints() == before
    assert [list(methods()), list(tasks()), list(papers())] == names


def test_a_file_in_a_folder_of_word_lists_counts(project: Path) -> None:
    before = tasks()["wikiann"].code
    use.text("tasks/wikiann/embedded/lists/names.txt", "Anna\n")(project)
    assert tasks()["wikiann"].code != before


def test_an_unusual_home_is_no_folder_here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither HOME nor the system names a home, `~` must not become a folder of that name."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(UserError, match="no such home folder is known"):
        expanded("~/runs", "run.yaml", "output")
