"""Small cells on tiny models, watched while they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from harness.adapt import cell
from harness.adapt.cell import Bench, run_cell
from harness.backbone.anatomy import anatomies
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.base.files import write_lines
from harness.base.seeds import derive
from harness.contracts.adaptation import Adaptation, TokenControl
from harness.contracts.config import Precision
from harness.contracts.discover import Method, methods, tasks
from harness.contracts.method import Kind
from harness.contracts.task import Role, Shares, Sizes, Source
from harness.data.roles import drawn
from harness.data.splits import few
from harness.data.task import Example, Splits, Task, load_task
from harness.learn.save import attach
from harness.parts.build import adaptations_of
from tests.models import ARCHITECTURES
from tests.project import ROOT

# On whole texts: what trains all, nothing or by PEFT, one of ours, and one that reads the batch itself.
WHOLE_TEXTS = {"bert": ("finetune", "head", "ia3"), "gpt2": ("lora",), "bart": ("tams",)}
# A dialogue is language modelling to a decoder, and what a summary is to an encoder-decoder.
REPLIES = {"gpt2": ("finetune", "zero_shot"), "bart": ("tams",)}
# So is a text of a record.
OF_RECORDS = {"gpt2": ("finetune", "lora", "prefix", "tams", "tarp_dynamic"), "bart": ("finetune",)}
FEW: dict[Kind, dict[str, tuple[str, ...]]] = {
    "sequence-classification": WHOLE_TEXTS, "dialogue": REPLIES, "data-to-text": OF_RECORDS,
}  # fmt: skip
SIZES = Sizes(train=8, dev=1, test=3)
BUDGET, STEPS, MAX_LENGTH, TARGET_LENGTH = 4, 3, 32, 8
WHOLE_REPLIES = 60, 40  # a reply is never cut
Read = Callable[..., Checkpoint]
GOLD: dict[Kind, str] = {
    "token-classification": "tags", "sequence-classification": "label", "summarization": "summary", "causal-lm": "id",
    "data-to-text": "references",
    "dialogue": "id",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A method on an architecture, for a kind of task."""

    method: str
    architecture: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.method}-{self.architecture}-{self.kind}"

    @property
    def folder(self) -> Method:
        return known()[self.method]


def cases(control: bool = False) -> list[Case]:
    """Every discovered adaptation with each architecture and kind that it can serve; controls stand apart.

    Methods that differ in their preparation alone have one adaptation, which one of them stands for. What classifies
    whole texts, or writes replies or of records, differs from the others in its head or its labels alone, so there a
    few stand for all.
    """
    found = []
    for name in dict.fromkeys(stands_for().values()):
        method = known()[name]
        for architecture in ARCHITECTURES:
            for kind in anatomies()[architecture].kinds:
                if kind in FEW and not control and name not in FEW[kind].get(architecture, ()):
                    continue
                if kind in (method.spec.kinds or [kind]) and uses_model(method) != control:
                    found.append(Case(name, architecture, kind))
    return found


def covering(every: Iterable[Case]) -> list[Case]:
    """A few of the cases: each method is among them, and each architecture with each kind, as evenly as may be.

    For what is asked only to see that a test of all of them could fail.
    """
    of_method: dict[str, list[Case]] = {}
    for case in every:
        of_method.setdefault(case.method, []).append(case)
    found: list[Case] = []
    times = Counter[tuple[str, Kind]]()
    for its in of_method.values():
        found.append(min(its, key=lambda case: times[case.architecture, case.kind]))
        times[found[-1].architecture, found[-1].kind] += 1
    for case in (case for its in of_method.values() for case in its):
        if not times[case.architecture, case.kind]:
            found.append(case)
            times[case.architecture, case.kind] += 1
    return found


@cache
def known() -> dict[str, Method]:
    """The project's methods, read once: a thousand cases ask for them, some for every parameter."""
    return methods(ROOT)


@cache
def stands_for() -> dict[str, str]:
    """For each method the one with the same adaptation that comes first, those without a preparation before others."""
    first: dict[str, str] = {}
    plain_first = sorted(known().items(), key=lambda item: item[1].spec.preparation[0] != "none")
    return {
        name: first.setdefault(repr([method.spec.adapt, method.spec.kinds, method.code]), name)
        for name, method in plain_first
    }


def uses_model(method: Method) -> bool:
    """Whether the method adapts a backbone; a `Control` predicts without one."""
    from harness.contracts.adaptation import Control

    return not isinstance(adaptations_of(method)[0], Control)


def read_for(case: Case, checkpoint: Read) -> Checkpoint:
    """The tiny checkpoint of a case, with the head that its kind of task needs."""
    return checkpoint(case.architecture, case.kind, labels_of(case.kind))


def attached(case: Case, checkpoint: Read, adaptations: Sequence[Adaptation] | None = None) -> Backbone:
    """A fresh backbone with the method's adaptations, or others, as a cell has it before the first step."""
    backbone = read_for(case, checkpoint).backbone(init_seed(case.kind))
    attach(backbone, parts_of(case) if adaptations is None else adaptations, init_seed(case.kind))
    return backbone


def parts_of(case: Case) -> list[Adaptation]:
    """The method's adaptations, as a cell here has them."""
    parts = adaptations_of(case.folder)
    return [part.trained_for(steps_of(case)) for part in parts if isinstance(part, Adaptation)]


def steps_of(case: Case) -> int:
    """A few steps; as many as the method has where its schedule does not fit into fewer."""
    own = case.folder.spec.train.steps
    try:
        for part in adaptations_of(case.folder):
            if isinstance(part, Adaptation):
                part.trained_for(min(own, STEPS))
    except ValueError:
        return own
    return min(own, STEPS)


def roles_in(source: Source) -> dict[str, Role]:
    """The role of each domain that a source names, drawn where it gives shares."""
    return dict(source.domains) if isinstance(source.domains, dict) else drawn(source.named, shares_of(source))


def shares_of(source: Source) -> Shares:
    """The shares by which a source's roles are drawn."""
    assert source.roles is not None
    return source.roles


@cache
def task_of(kind: Kind) -> tuple[Task, str, Splits]:
    """The first discovered task of a kind, one of its domains and a few embedded examples."""
    for folder in tasks().values():
        source = folder.spec.sources.get("embedded")
        if folder.spec.kind == kind and source:
            domain = next(name for name, role in roles_in(source).items() if role == "meta_test")
            task = load_task(folder).at(domain)
            return task, domain, task.read_embedded(domain, SIZES)
    raise LookupError(f"no task of kind {kind} has an embedded source")


def labels_of(kind: Kind) -> tuple[str, ...] | None:
    """The labels of the head that the kind's task needs."""
    labels = task_of(kind)[0].labels
    return None if labels is None else tuple(labels)


def seen_examples(kind: Kind, budget: int, seed: int) -> list[str]:
    """The ids of the training examples that a cell may use."""
    task, domain, splits = task_of(kind)
    return [example["id"] for example in few(splits["train"], budget, task.folder.name, domain, seed)]


def init_seed(kind: Kind, budget: int = BUDGET, seed: int = 0) -> int:
    """The seed of what is new in a cell, by the harness's rule for seeds."""
    task, domain, _ = task_of(kind)
    return derive("init", task.folder.name, domain, budget, seed)


def spoiled(example: Example, donor: Example, keys: tuple[str, ...] | None = None) -> Example:
    """The example with all its content, or the content under `keys`, taken from another."""
    return {key: donor[key] if key != "id" and key in (keys or donor) else value for key, value in example.items()}


@dataclass
class Ran:
    """A cell that ran: its predictions, its backbone, and the parameters before and after training."""

    predictions: list[Any]
    costs: dict[str, Any]
    backbone: Backbone | None = None
    before: dict[str, Tensor] = field(default_factory=dict)
    after: dict[str, Tensor] = field(default_factory=dict)
    gradients: dict[str, float] = field(default_factory=dict)

    def trained(self) -> dict[str, Tensor]:
        """The tensors that train, as the cell left them."""
        return {name: self.after[name] for name in self.backbone.trained()} if self.backbone else {}


def state(backbone: Backbone) -> dict[str, Tensor]:
    """A copy of all parameters and buffers."""
    named = [*backbone.named_parameters(), *backbone.named_buffers()]
    return {name: value.detach().clone() for name, value in named}


def run(
    folder: Path,
    case: Case,
    read: Checkpoint,
    splits: Splits,
    seed: int = 0,
    budget: int = BUDGET,
    match_parameters: float | None = None,
    precision: Precision = "float32",
    options: Mapping[str, Any] | None = None,
) -> Ran:
    """Run one cell of a case in `folder` on `splits`, noting the largest gradient of each trained parameter.

    `options` replace fields of its training.
    """
    task, domain, _ = task_of(case.kind)
    for split in ("train", "dev", "test"):
        write_lines(folder / f"{split}.jsonl", splits[split])
    settings = case.folder.spec.train
    train = settings.model_copy(update={"steps": steps_of(case), "batch_size": 2, **(options or {})})
    adaptations: Any = adaptations_of(case.folder)
    lengths = WHOLE_REPLIES if case.kind == "dialogue" else (MAX_LENGTH, TARGET_LENGTH)
    bench = Bench(task, {domain: str(folder)}, adaptations, train, *lengths, None)
    bench.match_parameters, bench.precision = match_parameters, precision
    tiny = str(folder / "tiny")
    bench.checkpoints[tiny] = read
    if isinstance(adaptations[0], TokenControl):
        read.tokenizer.save_pretrained(tiny)
    ran = Ran([], {})

    def watched(backbone: Backbone, *arguments: Any, **options: Any) -> Any:
        ran.backbone, ran.before = backbone, state(backbone)
        for name, parameter in backbone.trained().items():
            hook: Any = parameter.register_hook
            hook(lambda gradient, name=name: note(name, gradient))
        done = real(backbone, *arguments, **options)
        ran.after = state(backbone)
        return done

    def note(name: str, gradient: Tensor) -> None:
        ran.gradients[name] = max(ran.gradients.get(name, 0.0), float(gradient.abs().max()))

    real = vars(cell)["train"]
    with mock.patch.object(cell, "train", watched):
        ran.predictions, ran.costs = run_cell(bench, domain, budget, seed, tiny)
    return ran


def is_head(backbone: Backbone, name: str) -> bool:
    """Whether a parameter is the task head's."""
    return backbone.is_head(name)


def shake(backbone: Backbone, spread: float = 0.3, head: bool = True) -> None:
    """Move every parameter that trains away from where it starts, the head's only if `head`."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in backbone.trained().items():
            if not head and is_head(backbone, name):
                continue
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two sets of tensors hold the same bits under the same names."""
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
