"""Whether a run's setting is the paper's, field by field: only then does a difference to its numbers mean something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from harness.contracts.budget import told_all
from harness.contracts.paper import Setting
from harness.paper.evidence import Evidence
from harness.table.markdown import listed

Tier = Literal["paper", "scaled", "embedded"]
TIERS = get_args(Tier)  # from the nearest to the paper's
WORDS: dict[Tier, str] = {
    "paper": "The setting is the paper's.",
    "scaled": "The setting is scaled: real data, but not all as in the paper; compare signs and order alone.",
    "embedded": "The setting is embedded: the project generates the texts; compare signs and order alone.",
}


@dataclass(frozen=True)
class Compared:
    """One field of a setting: what the paper has, what the run has, and whether that is the same where it is known."""

    field: str
    paper: str
    ours: str
    same: bool | None
    whose: str = "paper"

    @property
    def words(self) -> str:
        """The field for a reader."""
        said = {True: "the same", False: "another", None: "not comparable"}[self.same]
        return f"{self.field}: {said} ({self.whose}: {self.paper}; ours: {self.ours})"


@dataclass(frozen=True)
class Comparison:
    """How near a run is to a paper's setting."""

    tier: Tier
    fields: list[Compared]

    @property
    def words(self) -> list[str]:
        """The tier and every field that is not the paper's, for a reader."""
        return [WORDS[self.tier], *(f"{its.words}." for its in self.fields if its.same is not True)]


def compare_setting(evidence: Evidence, setting: Setting | None, task: str, budgets: Sequence[int]) -> Comparison:
    """A task of the run against a setting; what the paper does not state decides nothing, but data must be known."""
    run = evidence.plan.tasks[task]
    found = _fields(evidence, setting, task, budgets) if setting else []
    fields = [replace(its, whose=setting.whose) for its in found] if setting else []
    if run.source == "embedded":
        return Comparison("embedded", fields)
    data = next((its.same for its in fields if its.field == "data"), None)
    read = setting is not None and not setting.recalled
    whole = read and data is True and all(its.same is not False for its in fields)
    return Comparison("paper" if whole else "scaled", fields)


def _fields(evidence: Evidence, setting: Setting, task: str, budgets: Sequence[int]) -> list[Compared]:
    plan, run, scores = evidence.plan, evidence.plan.tasks[task], evidence.scores(task)
    found = [
        _backbone(evidence, setting, task),
        _data(evidence, setting, task),
        Compared("metric", setting.metric, run.metric, setting.metric == run.metric),
    ]
    if setting.budgets is not None:
        same = set(budgets) <= set(setting.budgets)
        found.append(Compared("budgets", _listed(setting.budgets), told_all(budgets), same))
    if setting.seeds is not None:
        found.append(Compared("seeds", str(setting.seeds), str(len(scores.seeds)), len(scores.seeds) >= setting.seeds))
    job = next((job for job in plan.data if job.task == run.base), None)
    if setting.meta_train is not None and job is not None:
        ours = [domain for domain, role in job.roles.items() if role == "meta_train"]
        found.append(Compared("meta_train", _listed(setting.meta_train), _listed(ours), ours == setting.meta_train))
    if setting.overlap is not None:
        words = {True: "tested domains are among the meta-tasks", False: "held apart"}
        found.append(
            Compared(
                "overlap", words[setting.overlap], words[run.overlap_allowed], setting.overlap == run.overlap_allowed
            )
        )
    return found


def _backbone(evidence: Evidence, setting: Setting, task: str) -> Compared:
    name = evidence.plan.tasks[task].backbone
    spec = next((job.spec for job in evidence.plan.backbones if job.name == name), {})
    known = [str(spec["id"])] if "id" in spec else [Path(spec["path"]).name] if "path" in spec else []
    ours = known[0] if known else f"{name}, pretrained by the run"
    return Compared("backbone", setting.backbone[0], ours, any(one in setting.backbone for one in known))


def _data(evidence: Evidence, setting: Setting, task: str) -> Compared:
    """Data are recognised by how many test examples each domain has."""
    run, scores = evidence.plan.tasks[task], evidence.scores(task)
    sizes = listed([f"{domain} {scores.examples[domain]}" for domain in scores.domains if domain in scores.examples])
    ours = f"source {run.source}" + (f", test examples {sizes}" if sizes else "")
    if run.source == "embedded":
        return Compared("data", setting.data, ours, False)
    if setting.test_examples is None:
        return Compared("data", setting.data, ours, None)
    same = bool(scores.examples) and all(
        setting.test_examples.get(domain) == size for domain, size in scores.examples.items()
    )
    return Compared("data", setting.data, ours, same)


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values)) or "none"
