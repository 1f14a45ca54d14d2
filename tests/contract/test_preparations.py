"""What meta-learning moves and what it leaves, on tiny models; and that a stop changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor

from harness.adaptations.adapter import Adapter
from harness.adaptations.adapter_fusion import AdapterFusion
from harness.adaptations.finetune import Norms
from harness.adaptations.tarp import Tarp
from harness.backbone.anatomy import anatomies
from harness.backbone.load import Checkpoint
from harness.base.files import write_lines
from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import load_module, methods
from harness.contracts.preparation import Preparation
from harness.learn.resume import Resume
from harness.learn.save import ADAPTATION, attach, load_start
from harness.meta import outer
from harness.prepare import course
from harness.prepare.cmaml import Cmaml
from harness.prepare.dapt import Dapt
from harness.prepare.fusion import Fusion
from harness.prepare.meta import Meta
from harness.prepare.multitask import Multitask
from harness.prepare.workshop import Workshop
from tests.contract.cells import labels_of, task_of

ROLES: Any = {"a": "meta_train", "b": "meta_train", "d": "meta_dev", "t": "meta_test"}
KINDS = {name: anatomy.kinds[0] for name, anatomy in anatomies().items()}

Folder = Callable[[str], Path]


def workshop_for(
    folder: Path, architecture: str, checkpoint: Path, preparation: Preparation, adaptations: Any, target: str | None
) -> Workshop:
    """A workshop over four domains with the same few examples."""
    task, _, splits = task_of(KINDS[architecture])
    for domain in ROLES:
        for split in ("train", "unlabeled"):
            rows = [{**row, "id": f"{domain}-{row['id']}"} for row in splits["train"]]
            write_lines(folder / domain / f"{split}.jsonl", rows)
    saved = folder / "saved"
    saved.mkdir(exist_ok=True)
    return Workshop(
        task=task,
        backbone=checkpoint,
        folders={domain: folder / domain for domain in ROLES},
        roles=ROLES,
        readable=preparation.reads(ROLES, target),
        target=target,
        seed=0,
        max_length=24,
        target_length=8,
        saved_to=saved,
        resumed_from=folder / "resume",
        name="meta",
        adaptations=adaptations,
    )


def meta(**changes: Any) -> Meta:
    """Two iterations of everything."""
    inner = {"steps": 2, "batch_size": 2, "lr": 0.1} | changes.pop("inner", {})
    outer_ = {"iterations": 2, "meta_batch": 2, "query": 2, "lr": 0.01} | changes.pop("outer", {})
    return Meta.model_validate({"inner": inner, "outer": outer_, **changes})


def cmaml(**changes: Any) -> Cmaml:
    """Meta-learning as `meta` has it here, two fifths of it before the structure is selected."""
    plain = meta(**{"head": "meta", "inner": {"updates": "everything"}, **changes})
    return Cmaml(meta=plain, unpruned=0.4, support=4)


PRIVATE: Adaptation = load_module(methods()["cmaml"].folder / "method.py").Cmaml.model_validate(
    {"hidden": [6, 5], "select": {"steps": 2}}
)


def prepared(
    folder: Path, architecture: str, checkpoint: Path, preparation: Preparation, adaptations: Any = None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The model's tensors before and after, and the adaptation's start under the names that it has there."""
    adaptations = [Adapter(bottleneck=4)] if adaptations is None else adaptations
    target = "t" if preparation.per_domain else None
    workshop = workshop_for(folder, architecture, checkpoint, preparation, adaptations, target)
    backbone, _ = workshop.attached()
    before = {name: value.detach().clone() for name, value in backbone.named_parameters()}
    preparation.prepare(workshop)
    read = Checkpoint(workshop.saved_to, KINDS[architecture], labels_of(KINDS[architecture]))
    after = {f"model.{name}": value for name, value in read.model.named_parameters() if name not in read.fresh}
    start = workshop.saved_to / ADAPTATION
    after |= {f"added.{name}": value for name, value in load_file(start).items()} if start.is_file() else {}
    return before, after


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


def group(name: str) -> str:
    if name.startswith("added."):
        return "adaptation"
    return "head" if "classifier" in name else "body"


@pytest.mark.parametrize(
    ("inner", "outer_", "head", "wanted"),
    [
        ("adaptation", "everything", "carry", {"body", "adaptation", "head"}),  # priming
        ("adaptation", "everything", "meta", {"body", "adaptation", "head"}),
        ("adaptation", "everything", "fresh", {"body", "adaptation"}),
        ("everything", "everything", "carry", {"body", "adaptation", "head"}),  # MAML
        ("adaptation", "adaptation", "meta", {"adaptation", "head"}),  # Meta-Adapters
        ("adaptation", "adaptation", "carry", {"adaptation", "head"}),
    ],
)
def test_what_the_outer_loop_moves(
    inner: str, outer_: str, head: str, wanted: set[str], checkpoint_folder: Folder, tmp_path: Path
) -> None:
    preparation = meta(inner={"updates": inner}, outer={"updates": outer_}, head=head)
    before, after = prepared(tmp_path, "bert", checkpoint_folder("bert"), preparation)
    found = moved(before, after)
    assert {group(name) for name in found} == wanted
    for part in wanted & {"body", "adaptation"}:
        still = {name for name in after if group(name) == part} - found
        # A key's bias shifts all of a query's scores alike, and a position past the longest text is not read.
        assert all("key.bias" in name or "token_type" in name for name in still), still
    assert {name for name in after if group(name) == "head"} == (set() if head == "fresh" else {
        name for name in before if group(name) == "head"
    })  # fmt: skip


def watched_inner_loop(
    folder: Path, checkpoint: Path, inner: str, adaptations: Any = None
) -> tuple[set[str], set[str]]:
    """What the inner loop of the last iteration moved, and what has a meta-gradient."""
    seen: list[tuple[set[str], set[str]]] = []
    real = outer.meta_gradient

    def watched(losses: Any, body: Any, start: Any, *rest: Any) -> Any:
        found = real(losses, body, start, *rest)
        stirred = {name for name, value in found.adapted.items() if not torch.equal(value, start[name])}
        pulled = {name for name, value in {**found.body, **found.start}.items() if value.abs().max() > 0}
        seen.append((stirred, pulled))
        return found

    with mock.patch.object(outer, "meta_gradient", watched):
        prepared(folder, "bert", checkpoint, meta(inner={"updates": inner}), adaptations)
    return seen[-1]


@pytest.mark.parametrize("inner", ["adaptation", "everything"])
def test_what_the_inner_loop_moves(inner: str, checkpoint_folder: Folder, tmp_path: Path) -> None:
    stirred, pulled = watched_inner_loop(tmp_path, checkpoint_folder("bert"), inner)
    assert {group(name) for name in stirred} == (
        {"adaptation", "head"} if inner == "adaptation" else {"body", "adaptation", "head"}
    )
    assert {group(name) for name in pulled} == {"body", "adaptation", "head"}, "the body is primed all the same"


def test_norms_move_in_the_inner_loop_where_they_are_adapted(checkpoint_folder: Folder, tmp_path: Path) -> None:
    """As in the released code of Hou et al. (2022); the rest of the body keeps still there and is primed."""
    stirred, pulled = watched_inner_loop(tmp_path, checkpoint_folder("bert"), "adaptation", [Tarp(rank=2), Norms()])
    assert {name for name in stirred if group(name) == "body"} == {name for name in pulled if "LayerNorm" in name}
    assert {group(name) for name in stirred} == {"body", "adaptation", "head"}
    assert any(group(name) == "body" and "LayerNorm" not in name for name in pulled)


def test_downstream_begins_where_the_preparation_ended(checkpoint_folder: Folder, tmp_path: Path) -> None:
    before, after = prepared(tmp_path, "bert", checkpoint_folder("bert"), meta())
    read = Checkpoint(tmp_path / "saved", "token-classification", labels_of("token-classification"))
    backbone = read.backbone(5)
    attach(backbone, [Adapter(bottleneck=4)], 5)
    load_start(backbone, tmp_path / "saved")
    now = dict(backbone.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in after.items())
    assert {group(name) for name in backbone.trained()} == {"adaptation", "head"}, "the body is frozen downstream"
    assert set(after) == set(before)


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "bart"])
@pytest.mark.parametrize("updates", ["adaptation", "everything"])
@pytest.mark.parametrize("order", [1, 2])
def test_every_architecture_is_prepared(
    architecture: str, updates: str, order: int, checkpoint_folder: Folder, tmp_path: Path
) -> None:
    preparation = meta(inner={"updates": updates}, order=order, outer={"iterations": 1})
    before, after = prepared(tmp_path, architecture, checkpoint_folder(architecture), preparation)
    assert all(torch.isfinite(value).all() for value in after.values())
    assert {"body", "adaptation"} <= {group(name) for name in moved(before, after)}


class Stopped(Exception):
    """The process is killed here."""


@pytest.mark.parametrize(
    ("preparation", "adaptation", "stop_at"),
    [
        (meta(outer={"iterations": 7}, order=2, memory="recompute"), Adapter(bottleneck=4), 3),
        (meta(outer={"iterations": 7, "patience": 5, "check_every": 1}, head="fresh"), Adapter(bottleneck=4), 3),
        (Multitask(steps=7, batch_size=2, lr=0.01), Adapter(bottleneck=4), 3),
        (Dapt(steps=7, batch_size=2, lr=0.01), Adapter(bottleneck=4), 3),
        (Fusion(steps=3, batch_size=2, lr=0.01), AdapterFusion(bottleneck=4), 2),
        (Fusion(steps=3, batch_size=2, lr=0.01), AdapterFusion(bottleneck=4), 3),
        (Fusion(steps=3, batch_size=2, lr=0.01, head="fresh"), AdapterFusion(bottleneck=4), 5),
        (cmaml(outer={"iterations": 5}), PRIVATE, 1),
        (cmaml(outer={"iterations": 5}), PRIVATE, 3),
    ],
    ids=["second order", "patience", "multitask", "dapt", "fusion 2", "fusion 3", "fusion 5", "unpruned", "selected"],
)
def test_a_stopped_preparation_goes_on_to_the_same_bytes(
    preparation: Preparation, adaptation: Adaptation, stop_at: int, checkpoint_folder: Folder, tmp_path: Path
) -> None:

    def run(folder: Path, stop_at: int | None = None) -> bytes:
        folder.mkdir(exist_ok=True)
        workshop = workshop_for(
            folder,
            "bert",
            checkpoint_folder("bert"),
            preparation,
            [adaptation],
            "t" if preparation.per_domain else None,
        )
        kept = 0
        real = Resume.keep

        def keep(self: Resume, **state: Any) -> None:
            nonlocal kept
            self.seconds = 0.0
            real(self, **state)
            kept += 1
            if kept == stop_at:
                raise Stopped

        with mock.patch.object(Resume, "keep", keep):
            preparation.prepare(workshop)
        return b"".join(file.read_bytes() for file in sorted(workshop.saved_to.glob("*.safetensors")))

    whole = run(tmp_path / "whole")
    with pytest.raises(Stopped):
        run(tmp_path / "stopped", stop_at=stop_at)
    torch.manual_seed(99)
    assert run(tmp_path / "stopped") == whole


@pytest.mark.parametrize("head", ["keep", "fresh"])
@pytest.mark.parametrize("architecture", ["bert", "gpt2", "bart"])
def test_fusion_leaves_the_body_and_gives_one_adapter_a_domain(
    architecture: str, head: Literal["keep", "fresh"], checkpoint_folder: Folder, tmp_path: Path
) -> None:
    preparation = Fusion(steps=3, batch_size=2, lr=0.01, head=head)
    adaptation = AdapterFusion(bottleneck=4, sources=5)
    _, after = prepared(tmp_path, architecture, checkpoint_folder(architecture), preparation, [adaptation])
    kind: Any = KINDS[architecture]
    bare = dict(Checkpoint(checkpoint_folder(architecture), kind, labels_of(kind)).model.named_parameters())
    for name, value in after.items():
        if group(name) == "body":
            assert torch.equal(value, bare[name.removeprefix("model.")]), "the body was frozen"
    assert any(group(name) == "head" for name in after) == (head == "keep" and architecture == "bert")
    ups = {name: value for name, value in after.items() if name.endswith(".up")}
    places = {name.split(".")[1] for name in ups}
    for place in places:
        first, second = (ups[f"added.{place}.adapters.{source}.up"] for source in range(2))
        assert first.abs().max() > 0
        assert not torch.equal(first, second), "each domain has its own"
    assert len(ups) == 2 * len(places), "two domains of meta_train, not the option's five"
    read = Checkpoint(tmp_path / "saved", kind, labels_of(kind))
    assert read.model.config.adapter_sources == ["a", "b"]
    backbone = read.backbone(0)
    attach(backbone, [adaptation], 0)
    load_start(backbone, tmp_path / "saved")
    now = dict(backbone.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in after.items())


def test_fusion_trains_each_adapter_as_if_alone(checkpoint_folder: Folder, tmp_path: Path) -> None:
    """With a fresh head nothing passes from domain to domain: without the first, the second's adapter is the same."""
    adaptation = AdapterFusion(bottleneck=4)
    preparation = Fusion(steps=3, batch_size=2, lr=0.01, head="fresh")
    (tmp_path / "both").mkdir()
    _, both = prepared(tmp_path / "both", "bert", checkpoint_folder("bert"), preparation, [adaptation])
    (tmp_path / "one").mkdir()
    workshop = workshop_for(tmp_path / "one", "bert", checkpoint_folder("bert"), preparation, [adaptation], None)
    workshop.readable = ["b"]
    preparation.prepare(workshop)
    alone = load_file(workshop.saved_to / ADAPTATION)
    for name, value in alone.items():
        if ".adapters.0." in name:
            assert torch.equal(value, both[f"added.{name.replace('.adapters.0.', '.adapters.1.')}"])


def test_a_preparation_refuses_what_it_cannot_train() -> None:
    assert "name that under `adapt`" in str(Fusion().refuses([Adapter()]))
    assert Fusion().refuses([AdapterFusion()]) is None
    assert "AdapterFusion.penalty" in str(meta().refuses([Adapter(), AdapterFusion()]))
    assert meta().refuses([Adapter()]) is None
    assert Multitask().refuses([AdapterFusion()]) is None, "the adaptation takes no part"


def masked_preparation(
    preparation: Preparation, checkpoint: Path, folder: Path
) -> tuple[dict[str, Tensor], list[dict[str, Tensor]], list[list[str]]]:
    """What came out, the masks that each inner loop was given, and the domains of each meta-iteration."""
    given: list[dict[str, Tensor]] = []
    domains: list[list[str]] = []
    real, real_draw = outer.meta_gradient, course.draw

    def watched(losses: Any, *rest: Any) -> Any:
        given.append(losses.seen)
        return real(losses, *rest)

    def drawn(*arguments: Any) -> Any:
        episodes = real_draw(*arguments)
        domains.append([episode.domain for episode in episodes])
        return episodes

    folder.mkdir()
    with mock.patch.object(outer, "meta_gradient", watched), mock.patch.object(course, "draw", drawn):
        _, after = prepared(folder, "bert", checkpoint, preparation, [PRIVATE])
    return after, given, domains


def test_cmaml_selects_once_for_each_domain(checkpoint_folder: Folder, tmp_path: Path) -> None:
    checkpoint = checkpoint_folder("bert")
    _, given, domains = masked_preparation(cmaml(outer={"iterations": 5}), checkpoint, tmp_path / "cmaml")
    assert [sorted(drawn) for drawn in domains] == [["a", "b"]] * 5
    per_iteration = [given[2 * place : 2 * place + 2] for place in range(5)]
    assert all(seen == {} for two in per_iteration[:2] for seen in two), "nothing is pruned at first"
    first: dict[str, dict[str, Tensor]] = {}
    for drawn, two in zip(domains[2:], per_iteration[2:], strict=True):
        for domain, seen in zip(drawn, two, strict=True):
            assert set(seen) == {f"added.final.mask_{layer}" for layer in range(3)}
            kept = torch.cat([mask.flatten() for mask in seen.values()])
            assert 0 < kept.sum() < len(kept), "something is pruned, and not all"
            its = first.setdefault(domain, seen)
            assert all(torch.equal(its[name], mask) for name, mask in seen.items()), "selected once"
    assert set(first) == {"a", "b"}


def test_cmaml_before_its_selection_is_maml(checkpoint_folder: Folder, tmp_path: Path) -> None:
    """With the selection out of the way the weights are those of `meta`, byte for byte; with it they are not."""
    checkpoint = checkpoint_folder("bert")
    settings: Any = {"outer": {"iterations": 3}}
    selected, *_ = masked_preparation(cmaml(**settings), checkpoint, tmp_path / "selected")
    late = Cmaml(meta=cmaml(**settings).meta, unpruned=0.99, support=4)
    unpruned, given, _ = masked_preparation(late, checkpoint, tmp_path / "late")
    assert given == [{}] * 6
    with mock.patch.object(type(PRIVATE), "observe", Adaptation.observe):
        plain, *_ = masked_preparation(late.meta, checkpoint, tmp_path / "meta")
    assert all(torch.equal(plain[name], value) for name, value in unpruned.items())
    assert moved(plain, selected)


def test_cmaml_moves_everything_and_refuses_to_end_early(checkpoint_folder: Folder, tmp_path: Path) -> None:
    before, after = prepared(tmp_path, "gpt2", checkpoint_folder("gpt2"), cmaml(outer={"iterations": 4}), [PRIVATE])
    assert {group(name) for name in moved(before, after)} == {"body", "adaptation"}
    assert {name for name in after if name.startswith("added.")} <= moved(before, after)
    with pytest.raises(ValidationError, match="fixed length"):
        cmaml(outer={"patience": 1})


def test_domains_that_are_kept_back_are_not_read(checkpoint_folder: Folder, tmp_path: Path) -> None:
    assert meta().reads(ROLES, None) == ["a", "b", "d"]
    assert meta(domains="overlap").reads(ROLES, None) == ["a", "b", "d", "t"]
    assert meta(domains="leave_one_out").reads({**ROLES, "u": "meta_test"}, "t") == ["a", "b", "d", "u"]
    assert Multitask().reads(ROLES, None) == ["a", "b"]
    assert Multitask(domains="overlap").reads(ROLES, None) == ["a", "b", "d", "t"]
    held_out = Multitask(domains="leave_one_out")
    assert held_out.per_domain
    assert held_out.reads(ROLES, "t") == ["a", "b", "d"]
    workshop = workshop_for(tmp_path, "bert", checkpoint_folder("bert"), meta(), [], None)
    with pytest.raises(ValueError, match="did not say"):
        workshop.examples("t", "train")
    with pytest.raises(ValueError, match="test"):
        workshop.examples("a", "test")


def test_an_adaptation_of_another_shape_is_refused(checkpoint_folder: Folder, tmp_path: Path) -> None:
    prepared(tmp_path, "bert", checkpoint_folder("bert"), meta())
    adaptation: Adaptation = Adapter(bottleneck=5)
    backbone = Checkpoint(tmp_path / "saved", "token-classification", labels_of("token-classification")).backbone(0)
    attach(backbone, [adaptation], 0)
    with pytest.raises(Exception, match="another adaptation"):
        load_start(backbone, tmp_path / "saved")
