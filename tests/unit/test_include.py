"""Folders outside the project: their methods, tasks and papers join a run, and its jobs find them too."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.base.errors import UserError
from harness.cli import run as cli_run
from harness.cli.main import main
from harness.cli.new import copy_template, template_of
from harness.contracts.discover import methods, tasks
from harness.contracts.folders import ask_for, include
from harness.contracts.papers import paper_files, papers
from harness.plan.entry import make_plan
from tests import project as use
from tests.project import ROOT

RUN = "config/mine.yaml"
DOMAINS = {"city": "meta_train", "sea": "meta_test"}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside a small project, with a method and a task, and a run that includes it."""
    project, bench = tmp_path / "project", tmp_path / "my-bench"
    project.mkdir()
    use.copy_project(project)
    monkeypatch.chdir(project)
    use.text("methods/mine/method.yaml", "label: Mine\nsummary: Mine.\nadapt: {own: {rank: 2}}\n")(bench)
    own = "from harness.adaptations.lora import LoRA\n\n\nclass Own(LoRA):\n    pass\n"
    use.text("methods/mine/method.py", own)(bench)
    copy_template(template_of("task", "causal-lm"), bench / "tasks" / "places")
    write(include=["../../my-bench"])
    yield bench
    include([])
    ask_for([])


def write(**changes: object) -> None:
    spec = use.backbone("gpt2", "places", max_length=160)
    task = yaml.safe_load((ROOT / "harness/cli/templates/task/causal-lm/task.yaml").read_text())
    roles = task["sources"]["embedded"]["domains"]
    content = {
        "output": "out", "seeds": [0], "methods": ["mine", "finetune"], "rates": "given",
        "tasks": {"places": {"budgets": [4], "domains": roles}}, "backbones": {task["backbone"]: spec},
    }  # fmt: skip
    Path(RUN).write_text(yaml.safe_dump(content | changes))


def test_a_folder_outside_joins_the_run(bench: Path) -> None:
    plan = make_plan(RUN)
    assert {block.method for block in plan.blocks} == {"mine", "finetune"}
    assert tasks()["places"].folder == bench / "tasks" / "places"
    assert plan.config["include"] == [str(bench)]


def test_it_is_named_from_the_configurations_own_folder(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = bench.parent / "elsewhere.yaml"
    content = yaml.safe_load(Path(RUN).read_text())
    other.write_text(yaml.safe_dump(content | {"include": ["my-bench"]}))
    assert make_plan(str(other)).config["include"] == [str(bench)]


def test_another_configuration_includes_nothing_of_it(bench: Path) -> None:
    make_plan(RUN)
    assert "mine" in methods()
    make_plan(use.CONFIG)
    assert "mine" not in methods()


def test_editing_an_included_method_computes_its_cells_anew_and_no_others(bench: Path) -> None:
    before = {cell.method: cell.fingerprint for cell in make_plan(RUN).cells()}
    use.edit("methods/mine/method.py", "pass", "scale: float = 2.0")(bench)
    include([])
    code = (
        "from harness.plan.entry import make_plan; print(*[f'{c.method}={c.fingerprint}' for c in "
        f"make_plan({RUN!r}).cells()])"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    after = dict(pair.split("=") for pair in told.stdout.split())
    assert after["mine"] != before["mine"]
    assert after["finetune"] == before["finetune"]


def test_a_job_in_a_process_of_its_own_finds_it(bench: Path) -> None:
    plan = make_plan(RUN)
    plan.save()
    words = [sys.executable, "-m", "harness.cli.job", "data", str(plan.path), plan.data_of("places").done]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    subprocess.run(words, env=environment, check=True, capture_output=True)
    assert Path(plan.data_of("places").done).is_file()


def test_papers_are_found_too(bench: Path) -> None:
    shutil.copytree("papers/gheini2023-priming", bench / "papers" / "another")
    include([str(bench)])
    assert papers()["another"] == papers()["gheini2023-priming"]
    assert str(bench / "papers" / "another" / "claims.yaml") in paper_files("another")


def test_a_command_may_name_it(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "methods"]) == 0
    assert "mine" not in capsys.readouterr().out.split()
    assert main(["list", "methods", "--include", "../my-bench"]) == 0
    assert "mine" in capsys.readouterr().out.split()
    write()
    assert main(["status", "--configfile", RUN]) == 2
    assert "tasks is 'places'" in capsys.readouterr().err
    assert main(["status", "--configfile", RUN, "--include", "../my-bench"]) == 0


def test_what_a_command_names_goes_on_to_the_run_that_it_starts(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    calls: list[list[str]] = []
    monkeypatch.setattr(cli_run, "forget_cells", lambda *_: 1)
    monkeypatch.setattr(subprocess, "call", lambda words: calls.append(words) or 0)
    assert main(["retry", "--configfile", RUN, "--include", "../my-bench"]) == 0
    assert calls[0][-2:] == ["--config", f'include=["{bench}"]']


@pytest.mark.parametrize("part", ["methods/lora", "tasks/wikiann"])
def test_a_name_that_stands_twice_is_refused_with_both_folders(part: str, bench: Path) -> None:
    shutil.copytree(part, bench / part)
    with pytest.raises(UserError, match=rf"{bench / part}: the folder's name is .*/project/{part} has this name too"):
        make_plan(RUN)


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("../../nowhere", r"mine\.yaml: line \d+: include\.0 is '../../nowhere'; there is no folder .*/nowhere;"),
        ("../papers/hou2022-mltd", r"include\.0 is '../papers/hou2022-mltd'; .* has none of methods, tasks, papers"),
        ("$NOT_SET/bench", r"the environment variable NOT_SET is not set"),
    ],
)
def test_what_cannot_be_included_is_refused(folder: str, told: str, bench: Path) -> None:
    write(include=[folder])
    with pytest.raises(UserError, match=told):
        make_plan(RUN)
