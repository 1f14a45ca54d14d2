"""What every discovered method promises, on each architecture that it can serve."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.adaptations.tams import Tams
from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import methods
from harness.data.splits import few
from harness.data.task import Splits
from harness.learn.save import attach, load_trained, save_trained
from harness.parts.build import leaks
from tests.contract.cells import (
    BUDGET,
    GOLD,
    Case,
    Ran,
    Read,
    attached,
    cases,
    covering,
    init_seed,
    is_head,
    parts_of,
    read_for,
    run,
    same,
    seen_examples,
    shake,
    spoiled,
    stands_for,
    state,
    task_of,
)
from tests.contract.probes import cache_error, future_seen, logits
from tests.contract.structures import set_structure

OTHERWISE = "does not start as the backbone"  # a README that says so takes its method out of the test of the start
EXACT = 1e-6
ROUNDING = 2e-5
NOTICED = 1e-6  # a gradient below this may be rounding: a key's bias has none in exact arithmetic

# Of the parameters below the head, by name: which the project's own methods train.
TRAINS: dict[str, Callable[[str], bool]] = {
    "adapter": lambda name: name.startswith("added."),
    "adapter_fusion": lambda name: name.startswith("added.") and ".adapters." not in name,
    "adapter_last": lambda name: name.startswith("added."),
    "bitfit": lambda name: name.endswith("bias"),
    "cmaml": lambda name: True,
    "diff_pruning": lambda name: name.startswith("added."),
    "finetune": lambda name: True,
    "head": lambda name: False,
    "ia3": lambda name: ".ia3_l." in name,
    "lora": lambda name: name.startswith("added."),
    "mam": lambda name: name.startswith("added."),
    "masking": lambda name: name.startswith("added."),
    "prefix": lambda name: name.startswith("added."),
    "prefix_mlp": lambda name: name.startswith("added."),
    "norms": lambda name: "norm" in name.lower() or ".ln_" in name,
    "mltd": lambda name: name.startswith("added.") and not name.startswith("added.controller."),
    "tams": lambda name: name.startswith("added."),
    "tarp_tams": lambda name: name.startswith("added."),
    "tarp_bilinear": lambda name: name.startswith("added."),
    "tarp_dynamic": lambda name: name.startswith("added."),
    "tarp_kronecker": lambda name: name.startswith("added."),
    "tarp_matmul": lambda name: name.startswith("added."),
    "top2": lambda name: ".decoder.layers." in name or ".encoder.layer." in name or ".h." in name,
    "zero_shot": lambda name: False,
}

every = pytest.mark.parametrize("case", cases(), ids=str)
learning = pytest.mark.parametrize("case", [case for case in cases() if case.folder.spec.train.steps], ids=str)
causal = pytest.mark.parametrize(
    "case",
    [
        case
        for case in cases()
        if case.architecture in ("gpt2", "bart") and case.kind != "sequence-classification"  # one answer for all tokens
    ],
    ids=str,
)
few_learning = pytest.mark.parametrize(
    "case", covering(case for case in cases() if case.folder.spec.train.steps), ids=str
)
controls = pytest.mark.parametrize(
    "case", [case for case in cases(control=True) if case.architecture != "roberta"], ids=str
)


def ran(case: Case, checkpoint: Read, folder: Path, **options: Any) -> Ran:
    splits = options.pop("splits", task_of(case.kind)[2])
    return run(folder, case, read_for(case, checkpoint), splits, **options)


@pytest.fixture(scope="module")
def plain(checkpoint: Read, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], Ran]:
    """A case's cell as it is, run once for all that is asked of it; what ran before it is left as it was."""

    @cache
    def once(case: Case) -> Ran:
        read = read_for(case, checkpoint)
        original = {name: value.clone() for name, value in read.model.state_dict().items()}
        it = ran(case, checkpoint, tmp_path_factory.mktemp("cell"))
        assert same(original, dict(read.model.state_dict())), "the cell changed the shared checkpoint"
        return it

    return once


@every
def test_only_declared_parameters_move(case: Case, plain: Callable[[Case], Ran]) -> None:
    it = plain(case)
    assert it.backbone is not None
    declared = it.backbone.trained()
    moved = {name for name, value in it.after.items() if not torch.equal(value, it.before[name])}
    assert moved <= set(declared)
    pulled, may_return = {name for name, largest in it.gradients.items() if largest > NOTICED}, prunes(case)
    assert pulled - moved <= {name for name in pulled if may_return and not it.after[name].any()}
    assert bool(moved) == (case.folder.spec.train.steps > 0)


def prunes(case: Case) -> bool:
    """Whether the method may set back to zero on the way what had moved from there."""
    return any(type(part).after_step is not Adaptation.after_step for part in parts_of(case))


@every
def test_what_trains_is_what_the_method_says(case: Case, checkpoint: Read) -> None:
    if case.method not in TRAINS:
        pytest.skip("a method that these tests do not know by name")
    backbone = attached(case, checkpoint)
    body = {name for name in backbone.trained() if not is_head(backbone, name)}
    wanted = {
        name for name, _ in backbone.named_parameters() if TRAINS[case.method](name) and not is_head(backbone, name)
    }
    assert body == wanted
    assert bool(body) == (case.method not in ("head", "zero_shot"))
    trained_head = len(backbone.trained()) - len(body)
    assert trained_head == len(backbone.head)


@every
def test_one_prediction_for_each_test_example(case: Case, plain: Callable[[Case], Ran]) -> None:
    it = plain(case)
    test = task_of(case.kind)[2]["test"]
    assert len(it.predictions) == len(test)
    if case.kind == "sequence-classification":
        assert set(it.predictions) <= set(task_of(case.kind)[0].labels or ())
    if case.kind == "token-classification":
        assert [len(tags) for tags in it.predictions] == [len(example["tokens"]) for example in test]
    if it.backbone and case.folder.spec.train.steps:
        assert it.costs["trained_parameters"] == sum(value.numel() for value in it.backbone.trained().values())


@learning
def test_saved_and_reloaded_predicts_the_same(
    case: Case, plain: Callable[[Case], Ran], checkpoint: Read, tmp_path: Path
) -> None:
    it = plain(case)
    assert it.backbone is not None
    save_trained(it.backbone, tmp_path / "trained.safetensors")
    again = attached(case, checkpoint)
    shake(again)
    assert not torch.equal(logits(again), logits(it.backbone))
    load_trained(again, tmp_path / "trained.safetensors")
    assert same(state(again), state(it.backbone))
    assert torch.equal(logits(again), logits(it.backbone))
    assert it.costs["stored_bytes"] <= (tmp_path / "trained.safetensors").stat().st_size


@every
def test_same_seed_same_bytes_and_only_the_budget_is_seen(
    case: Case, plain: Callable[[Case], Ran], checkpoint: Read, tmp_path: Path
) -> None:
    """A second run with the same seed, from which all is hidden that a cell may not see.

    Other training examples than its own, and the gold of the test examples.
    """
    base, hidden = plain(case), without_gold_of_tests(case, with_other_examples(case, inside=False))
    again = ran(case, checkpoint, tmp_path, splits=hidden)
    assert again.predictions == base.predictions
    assert same(again.trained(), base.trained())


@few_learning
def test_another_seed_or_other_examples_train_otherwise(
    case: Case, plain: Callable[[Case], Ran], checkpoint: Read, tmp_path: Path
) -> None:
    base = plain(case).trained()
    assert not same(ran(case, checkpoint, tmp_path, seed=4).trained(), base)
    assert not same(ran(case, checkpoint, tmp_path, splits=with_other_examples(case, inside=True)).trained(), base)


def with_other_examples(case: Case, inside: bool) -> Splits:
    """The splits with the training examples inside the cell's budget, or outside, as copies of another."""
    splits, allowed = task_of(case.kind)[2], seen_examples(case.kind, BUDGET, 0)
    donor = next(example for example in splits["train"] if example["id"] not in allowed)
    train = [spoiled(row, donor) if (row["id"] in allowed) == inside else row for row in splits["train"]]
    assert train != splits["train"]
    return {**splits, "train": train}


def without_gold_of_tests(case: Case, splits: Splits) -> Splits:
    """The splits with other answers of the test examples."""
    hidden = [{**row, GOLD[case.kind]: without_gold(case, row)} for row in splits["test"]]
    assert hidden != splits["test"]
    return {**splits, "test": hidden}


@controls
def test_control_answers_each_example_and_reads_no_gold(case: Case, checkpoint: Read, tmp_path: Path) -> None:
    base = ran(case, checkpoint, tmp_path)
    splits = task_of(case.kind)[2]
    assert len(base.predictions) == len(splits["test"])
    hidden = without_gold_of_tests(case, splits)
    assert ran(case, checkpoint, tmp_path, splits=hidden).predictions == base.predictions


def without_gold(case: Case, example: dict[str, Any]) -> Any:
    if case.kind == "token-classification":
        labels: list[str] = task_of(case.kind)[0].labels  # type: ignore[attr-defined]
        return [labels[(labels.index(tag) + 1) % len(labels)] for tag in example["tags"]]
    if case.kind == "sequence-classification":
        return next(label for label in task_of(case.kind)[0].labels or () if label != example["label"])
    return ["nothing"] if case.kind == "data-to-text" else "nothing"


@causal
def test_no_token_sees_the_future(case: Case, checkpoint: Read) -> None:
    backbone = attached(case, checkpoint)
    shake(backbone)
    seen = future_seen(backbone)
    assert (seen > ROUNDING) == leaks(case.folder), f"{seen:.2g} of later tokens is seen; who does must say so"


@pytest.mark.parametrize("case", [case for case in cases() if case.kind == "summarization"], ids=str)
def test_cache_changes_no_logit(case: Case, checkpoint: Read) -> None:
    backbone = attached(case, checkpoint)
    shake(backbone, 0.1)
    assert cache_error(backbone) < 1e-4


class Mean(nn.Module):
    """Adds the mean over all positions: it sees the future and, with a cache, too little of the past."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * x.mean(1, keepdim=True)


class Leaky(Adaptation):
    """A mean after each sublayer."""

    def attach(self, backbone: Backbone) -> None:
        for sublayer in backbone.sublayers():
            sublayer.after(Mean())


@pytest.mark.parametrize(("architecture", "kind"), [("gpt2", "causal-lm"), ("bart", "summarization")])
def test_a_leak_is_found(architecture: str, kind: Any, checkpoint: Read) -> None:
    backbone = checkpoint(architecture, kind).backbone(0)
    attach(backbone, [Leaky()], 0)
    assert future_seen(backbone) > 1e-3
    if kind == "summarization":
        assert cache_error(backbone) > 1e-3


@pytest.mark.parametrize(("architecture", "kind"), [("gpt2", "causal-lm"), ("bart", "summarization")])
@pytest.mark.parametrize("padding", ["causal", "symmetric"])
def test_tams_says_what_its_padding_lets_a_token_see(
    architecture: str, kind: Any, padding: Any, checkpoint: Read
) -> None:
    backbone, tams = checkpoint(architecture, kind).backbone(0), Tams(width=8, padding=padding)
    attach(backbone, [tams], 0)
    shake(backbone)
    set_structure(backbone)
    assert (future_seen(backbone) > ROUNDING) == tams.leaks == (padding == "symmetric")
    if kind == "summarization":  # a symmetric convolution reads later tokens that generation does not have
        assert (cache_error(backbone) > 1e-3) == tams.leaks


def starts_otherwise(case: Case) -> bool:
    return OTHERWISE in " ".join((case.folder.folder / "README.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("case", [case for case in cases() if not starts_otherwise(case)], ids=str)
def test_first_step_starts_as_the_backbone(case: Case, checkpoint: Read) -> None:
    bare = read_for(case, checkpoint).backbone(init_seed(case.kind))
    backbone = attached(case, checkpoint)
    torch.testing.assert_close(logits(backbone), logits(bare), rtol=0, atol=EXACT)
    if len(list(backbone.parameters())) > len(list(bare.parameters())):
        shake(backbone, head=False)
        assert (logits(backbone) - logits(bare)).abs().max() > 1e-3, "what was added never reaches the output"


@pytest.mark.parametrize("case", [case for case in cases() if case.method in ("prefix", "prefix_mlp", "mam")], ids=str)
def test_prefix_cannot_start_as_the_backbone(
    case: Case, checkpoint: Read, record_property: Callable[[str, object], None]
) -> None:
    bare = logits(read_for(case, checkpoint).backbone(init_seed(case.kind)))
    moved = float((logits(attached(case, checkpoint)) - bare).abs().mean() / bare.std())
    record_property("share_of_the_logits_spread", moved)
    assert starts_otherwise(case)
    assert 0.02 < moved < 1.5


@pytest.mark.parametrize("name", ["lora", "adapter", "ia3"])
def test_additive_methods_do_not_excuse_themselves(name: str) -> None:
    assert not any(starts_otherwise(case) for case in cases() if case.method == name)


def test_every_method_is_covered() -> None:
    covered = {case.method for case in [*cases(), *cases(control=True)]}
    assert {name for name, first in stands_for().items() if first in covered} == set(methods())


@pytest.mark.parametrize("seed", range(3))
def test_splits_are_nested(seed: int) -> None:
    train = [{"id": place} for place in range(40)]
    sizes = [few(train, budget, "task", "domain", seed) for budget in (1, 8, 32, 40)]
    for smaller, larger in itertools.pairwise(sizes):
        assert larger[: len(smaller)] == smaller
    assert sorted(row["id"] for row in sizes[-1]) == list(range(40))
    assert few(train, 8, "task", "domain", seed + 1) != sizes[1]
    assert few(train, 8, "task", "another", seed) != sizes[1]
    assert train == [{"id": place} for place in range(40)]
