"""The environment for conda users, the one for pip, and the package's needs are one."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.lower().replace("_", "-").split("==") for line in lines if line and not line.startswith("#"))


def test_every_line_is_an_exact_pin() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][^\s;+]*", line) for line in lines)


def test_every_need_is_pinned_and_installed_as_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    for need in needs:
        name = need.lower().replace("_", "-")
        assert name in pins()
        assert version(name).split("+")[0] == pins()[name]


def test_conda_environment_is_made_from_the_same_pins() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-c constraints.txt", "-e .[test]"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = next(entry for entry in environment["dependencies"] if str(entry).startswith("python="))
    assert project["requires-python"] == f">={python.split('=')[1]}"
