"""What learned sparsification reports and stores, against the tensors of the file itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from harness.adaptations.sparsity import pack_bits, unpack_bits
from harness.base.errors import UserError
from harness.learn.save import load_trained, save_trained, stored_bytes
from tests.contract.cells import Read
from tests.contract.probes import logits
from tests.parity.test_sparsification import attached, trained, unsettled


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 8), (7, 9)])
def test_bits_are_packed_and_unpacked(shape: tuple[int, int]) -> None:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.4
    packed = pack_bits(mask)
    assert packed.dtype == torch.uint8
    assert np.array_equal(packed.numpy(), np.packbits(mask.numpy(), bitorder="little"))
    assert torch.equal(unpack_bits(packed, shape), mask)
    with pytest.raises(UserError, match="load it where it was learned"):
        unpack_bits(packed, (shape[0] + 8, shape[1]))


@pytest.mark.parametrize("name", ["masking", "diff_pruning"])
def test_what_is_reported_and_counted_is_what_the_file_holds(name: str, checkpoint: Read, tmp_path: Path) -> None:
    adaptation, backbone = trained(checkpoint, name)
    save_trained(backbone, tmp_path / "trained.safetensors")
    saved = load_file(tmp_path / "trained.safetensors")
    head = {place for place in saved if not place.startswith("added.")}
    assert stored_bytes(backbone) == sum(value.numel() * value.element_size() for value in saved.values())
    assert {place.removeprefix("model.") for place in head} == backbone.head
    weights = sum(dense.weight.numel() for dense in backbone.dense_layers("all"))
    sizes = {place: value.numel() * value.element_size() for place, value in saved.items() if place not in head}
    report = adaptation.report(backbone)
    if name == "masking":
        assert sum(sizes.values()) == weights // 8
        bits = b"".join(np.unpackbits(saved[place].numpy()).tobytes() for place in sizes)
        assert report["kept_share"] == pytest.approx(sum(bits) / weights)
    else:
        kept = [value for place, value in saved.items() if place.endswith(".values")]
        assert sum(sizes.values()) == 8 * sum(len(value) for value in kept) == 8 * round(0.005 * weights)
        assert report["kept_share"] == pytest.approx(sum(len(value) for value in kept) / weights)
        assert all((value != 0).all() for value in kept)


@pytest.mark.parametrize("name", ["masking", "diff_pruning"])
def test_the_report_tells_masks_and_roles_apart(name: str, checkpoint: Read) -> None:
    adaptation, backbone = trained(checkpoint, name)
    first: dict[str, Any] = adaptation.report(backbone)
    modules: Any = list(backbone.added.values())
    kept = {dense.name: (module.scores > 0 if name == "masking" else module.settled() != 0)
            for dense, module in zip(backbone.dense_layers("all"), modules, strict=True)}  # fmt: skip
    for role in ("query", "key", "value", "output", "up", "down"):
        its = torch.cat([mask.flatten() for place, mask in kept.items() if place.endswith(f".{role}")])
        assert first["kept_share_by_role"][role] == pytest.approx(float(its.float().mean()))
    bits = b"".join(np.packbits(mask.numpy(), bitorder="little").tobytes() for mask in kept.values())
    assert first["mask"] == hashlib.sha256(bits).hexdigest()[:16]
    assert adaptation.report(backbone) == first
    with torch.no_grad():  # one weight more or less
        if name == "masking":
            modules[0].scores[0, 0] *= -1
        else:
            modules[0].changes[modules[0].changes.nonzero()[0].tolist()] *= 0
    assert adaptation.report(backbone)["mask"] != first["mask"]


@pytest.mark.parametrize("name", ["masking", "diff_pruning"])
def test_a_layer_of_which_nothing_is_kept_is_stored_too(name: str, checkpoint: Read, tmp_path: Path) -> None:
    adaptation, backbone = trained(checkpoint, name)
    module: Any = next(iter(backbone.added.values()))
    nothing = torch.zeros_like(next(iter(module.parameters())))
    module.settle(nothing.bool() if name == "masking" else nothing)
    save_trained(backbone, tmp_path / "trained.safetensors")
    again = attached(checkpoint, adaptation, "bert", "token-classification")
    load_trained(again, tmp_path / "trained.safetensors")
    assert torch.equal(logits(again), logits(backbone))


def test_what_is_saved_before_the_end_predicts_the_same_too(checkpoint: Read, tmp_path: Path) -> None:
    adaptation, backbone = unsettled(checkpoint)
    save_trained(backbone, tmp_path / "trained.safetensors")
    again = attached(checkpoint, adaptation)
    load_trained(again, tmp_path / "trained.safetensors")
    assert torch.equal(logits(again), logits(backbone))


@pytest.mark.parametrize("name", ["masking", "diff_pruning"])
def test_an_outline_says_how_much_a_training_will_store(name: str, checkpoint: Read) -> None:
    adaptation, backbone = trained(checkpoint, name)
    outline = checkpoint("bert", "token-classification", 7).outline()
    with outline.device:
        adaptation.attach(outline)
    layers = len(outline.added)
    assert abs(stored_bytes(outline) - stored_bytes(backbone)) <= 8 * layers  # each layer rounds for itself
