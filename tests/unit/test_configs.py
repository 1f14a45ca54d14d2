"""Every configuration that comes with the project names what exists, as far as can be seen without its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.config import RunConfig, located, read_config
from harness.contracts.model import one_of, validate
from harness.contracts.papers import papers
from harness.plan.make import check_names
from harness.plan.request import Request
from tests.project import ROOT

CONFIGS = sorted((ROOT / "config").rglob("*.yaml"))
PAPERS = [file for file in CONFIGS if file.parent.name == "paper"]


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_a_configuration_names_what_exists(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_MODELS", "models")
    content, places = read_config([file])
    config = located(validate(RunConfig, content, places), places)
    request = Request(config, places)
    check_names(request)
    for name, task in config.tasks.items():
        spec = request.tasks[name].spec
        for backbone in task.backbones or [task.backbone or spec.backbone]:
            one_of(backbone, list(config.backbones), places, f"tasks.{name}.backbone")
        assert task.source in spec.sources
        chosen = request.chosen_methods(task.methods or config.methods, "methods", name)
        assert set(chosen) <= set(request.methods)
        kinds = [request.methods[method].spec.kinds for method in chosen]
        assert any(not its or spec.kind in its for its in kinds)


@pytest.mark.parametrize("file", PAPERS, ids=lambda file: file.stem)
def test_a_papers_configuration_has_its_model_and_names_its_guesses(file: Path) -> None:
    """It is named after a paper and its table or figure, its backbone is one of that setting's, and all is pinned."""
    title, found = next((title, spec) for title, spec in papers().items() if file.stem.startswith(f"{title}-"))
    name = file.stem.removeprefix(f"{title}-")
    assert name in found.tables or name in found.figures
    content, _ = read_config([file])
    its = found.tables.get(name) or found.figures[name]
    setting = found.setting(name, its.setting)
    assert setting is not None
    for spec in content["backbones"].values():
        assert spec["id"] in setting.backbone
        assert len(spec["revision"]) == 40
        assert spec["parameters"] > 1e7
    assert content["output"] == f"results/paper/{file.stem}"
    text = file.read_text(encoding="utf-8")
    assert "# guess: " in text
    assert "not checked against the hub" in text
