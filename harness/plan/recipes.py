"""Plans the pretraining of a pinned backbone, from `backbones/<name>/recipe.yaml` and the embedded tasks' text."""

from __future__ import annotations

from pathlib import Path

from harness.base.errors import UserError
from harness.base.lines import Layers
from harness.base.yaml_file import read_yaml
from harness.contracts.config import Pretrained, RunConfig
from harness.contracts.discover import tasks
from harness.contracts.model import one_of, validate
from harness.contracts.plan import Plan
from harness.contracts.plan_order import ordered
from harness.plan.backbones import BackbonePlanner
from harness.plan.data import DataPlanner
from harness.plan.request import Request

PINNED, RECIPE = Path("backbones"), "recipe.yaml"
OUTPUT = "results/pretrain"  # a folder a backbone below it


def recipes() -> list[str]:
    """The backbones that have a recipe."""
    return sorted(file.parent.name for file in PINNED.glob(f"*/{RECIPE}"))


def recipe_plan(name: str, output: str = "") -> Plan:
    """The data and the one backbone that a recipe says; raises UserError where it is none or says what cannot be."""
    if name not in recipes():
        raise UserError(f"{PINNED / name / RECIPE}: there is no such recipe; use one of {', '.join(recipes())}")
    file, output = PINNED / name / RECIPE, output or f"{OUTPUT}/{name}"
    written = read_yaml(file)
    spec = validate(Pretrained, {"source": "pretrain"} | written, file)
    for task in spec.corpora:
        one_of(task, list(tasks()), file, "corpora")
    runs = {task: {"source": "embedded", "backbone": name} for task in spec.corpora}
    content = {"output": output, "seeds": [0], "methods": "all", "tasks": runs, "backbones": {name: spec.model_dump()}}
    where = Layers([(str(file), {"backbones": {name: written}})])
    request = Request(validate(RunConfig, content, where), where)
    of_data = DataPlanner(request)
    data = {task: of_data.plan(task, run) for task, run in request.config.tasks.items()}
    plan = Plan(
        output=output,
        seeds=[],
        allow_failures=False,
        cell_minutes=None,
        memory_gib=None,
        tasks={},
        methods={},
        data=list(data.values()),
        backbones=[BackbonePlanner(request, data, of_data.prints).plan(name)],
        prepares=[],
        blocks=[],
        adapts=[],
        scoring="",
        config=request.config.model_dump(),
    )
    return ordered(plan)
