"""Commands that compute nothing import no torch, which takes seconds, and those that only look no pandas either."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.new import copy_template, template_of
from tests import project as use
from tests.project import CONFIG, ROOT

TORCH = {"torch", "transformers", "peft", "datasets"}
TABLES = {"pandas", "pyarrow", "scipy", "matplotlib"}
CELL = ["--task", "wikiann", "--method", "lora", "--domain", "nl", "--budget", "4", "--seed", "0"]
COMMANDS: list[tuple[list[str], set[str]]] = [
    (["list", "methods"], TORCH | TABLES),
    (["list", "methods", "--json"], TORCH | TABLES),
    (["list", "tasks"], TORCH | TABLES),
    (["list", "papers"], TORCH | TABLES),
    (["status", "--configfile", CONFIG], TORCH | TABLES),
    (["predictions", "--configfile", CONFIG, *CELL], TORCH | TABLES),
    (["plan", "--configfile", CONFIG], TORCH),
    (["check", "--configfile", CONFIG], TORCH),  # after the others: it takes pandas and scipy for the papers' claims
    (["tables", "--configfile", CONFIG], TORCH - {"datasets"}),  # which `evaluate` is made on
]
PROGRAM = """
import json, sys
from harness.cli.main import main
for words in json.load(sys.stdin):
    status = main(words)
    print("after", json.dumps([words, status, sorted(set(sys.modules) & set(sys.argv[1:]))]))
"""


def run(folder: Path, commands: list[list[str]]) -> list[tuple[list[str], int, set[str]]]:
    """Each command with its status and the heavy modules that are imported after it, all in one process."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *TORCH, *TABLES],
        cwd=folder, input=json.dumps(commands), capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1"}, check=False,
    )  # fmt: skip
    told = [json.loads(line.removeprefix("after ")) for line in done.stdout.splitlines() if line.startswith("after ")]
    assert len(told) == len(commands), done.stderr
    return [(words, status, set(heavy)) for words, status, heavy in told]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A run of every method on a task, and nothing computed yet."""
    use.copy_project(tmp_path)
    use.write_config(tmp_path, {"methods": "all"})
    return tmp_path


def test_what_computes_nothing_imports_no_torch(project: Path) -> None:
    told = run(project, [words for words, _ in COMMANDS])
    for (words, status, heavy), (_, without) in zip(told, COMMANDS, strict=True):
        assert status == (2 if words[0] in ("predictions", "tables") else 0), words  # nothing is computed yet
        assert not heavy & without, words


def test_a_methods_own_torch_is_imported_only_where_the_method_is_asked_for(project: Path) -> None:
    copy_template(template_of("method", None), project / "methods" / "mine")
    assert "import torch" in (project / "methods" / "mine" / "method.py").read_text()
    use.write_config(project, {"methods": ["lora"]})
    use.text("mine.yaml", (project / CONFIG).read_text().replace("- lora", "- mine"))(project)
    plan = ["plan", "--configfile", CONFIG]
    told = run(project, [["list", "methods"], plan, ["plan", "--configfile", "mine.yaml"]])
    assert [status for _, status, _ in told] == [0, 0, 0]
    assert ["torch" in heavy for _, _, heavy in told] == [False, False, True]


LEAKY = """from harness.contracts.adaptation import Adaptation


class Leaky(Adaptation):
    @property
    def leaks(self):
        return True

    def attach(self, backbone):
        pass
"""


def test_a_method_that_sees_the_future_is_still_told(project: Path) -> None:
    use.text("methods/leaky/method.py", LEAKY)(project)
    use.text("methods/leaky/method.yaml", "label: Leaky\nsummary: Sees.\nadapt: leaky\n")(project)
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "list", "methods"],
        cwd=project, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("leaky")]
    assert "sees the future" in line
