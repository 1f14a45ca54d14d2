"""Every configuration that comes with the project names what exists, as far as can be seen without its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.config import RunConfig, located, read_config
from harness.contracts.model import one_of, validate
from harness.plan.make import check_names
from harness.plan.request import Request
from tests.project import ROOT

CONFIGS = sorted((ROOT / "config").glob("*.yaml"))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_a_configuration_names_what_exists(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_MODELS", "models")
    content, places = read_config([file])
    config = located(validate(RunConfig, content, places), places)
    request = Request(config, places)
    check_names(request)
    for name, task in config.tasks.items():
        spec = request.tasks[name].spec
        one_of(task.backbone or spec.backbone, list(config.backbones), places, f"tasks.{name}.backbone")
        assert task.source in spec.sources
        chosen = request.chosen_methods(task.methods or config.methods, "methods", name)
        assert set(chosen) <= set(request.methods)
        kinds = [request.methods[method].spec.kinds for method in chosen]
        assert any(not its or spec.kind in its for its in kinds)
