"""Lower floors of the program never import higher ones, nor a method or a task."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.parts import offered

PROGRAM = Path(harness.__file__).parent
FLOORS = (
    "base", "contracts", "data", "backbone", "learn", "adaptations", "meta", "prepare", "parts", "adapt",
    "score", "record", "table", "paper", "report", "plan", "cli",
)  # fmt: skip
FILES = sorted(file for file in PROGRAM.rglob("*.py") if "templates" not in file.parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that run-time code imports; what stands under TYPE_CHECKING never runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole module"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        else:
            yield from imported(node)


def found_by_name(tree: ast.AST) -> Iterator[str]:
    """The modules that `import_module` is given as a text; a part of it that is not written out is `*`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            text = node.args[0]
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)


def floor_of(file: Path) -> str:
    return file.relative_to(PROGRAM).parts[0]


def imports_of(file: Path) -> list[str]:
    return list(imported(ast.parse(file.read_text(encoding="utf-8"))))


def test_every_folder_is_a_floor() -> None:
    folders = {path.name for path in PROGRAM.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders == set(FLOORS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PROGRAM)))
def test_a_floor_imports_only_lower_ones(file: Path) -> None:
    own = 0 if file.parent == PROGRAM else FLOORS.index(floor_of(file))
    for module in imports_of(file):
        parts = module.split(".")
        assert parts[0] not in ("methods", "tasks", "tests", "benchmarks")
        if parts[0] == "harness" and len(parts) > 1 and parts[1] in FLOORS:
            assert FLOORS.index(parts[1]) <= own, f"{file} imports {module}, which is on a higher floor"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PROGRAM)))
def test_what_is_imported_by_its_name_is_no_higher_either(file: Path) -> None:
    own = 0 if file.parent == PROGRAM else FLOORS.index(floor_of(file))
    for module in found_by_name(ast.parse(file.read_text(encoding="utf-8"))):
        floor = module.split(".")[1] if module.startswith("harness.") else None
        if floor == "*":  # the plug-ins that the harness offers
            floors = [offered.ADAPTATIONS, offered.PREPARATIONS]
            assert file == Path(offered.__file__), f"{file} imports {module} from a floor that it does not write out"
        else:
            assert floor or floor_of(file) == FLOORS[-1], f"{file} imports {module}, which may be anything"
            floors = [floor] if floor else []
        assert all(FLOORS.index(floor) <= own for floor in floors), f"{file} imports {module} from a higher floor"


@pytest.mark.parametrize("floor", ["base", "contracts", "data", "record", "plan"])
def test_what_only_plans_and_reads_needs_no_torch(floor: str) -> None:
    """These run in the process of the Snakefile, or wherever records are looked at."""
    for file in sorted((PROGRAM / floor).glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        heavy = {module.split(".")[0] for node in top for module in imported(ast.Module([node], []))}
        assert heavy.isdisjoint({"torch", "transformers", "peft", "datasets"}), file


def test_the_planner_itself_imports_no_torch() -> None:
    program = "import sys, harness.plan.entry; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=PROGRAM.parent, check=False).returncode == 0
