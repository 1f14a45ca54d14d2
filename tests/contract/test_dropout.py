"""Dropout is drawn from the seed: in cells whose adaptations draw more, and in preparations and their inner loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.adaptations.adapter_fusion import AdapterFusion
from harness.adaptations.lora import LoRA
from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import methods
from harness.contracts.preparation import Preparation
from harness.parts.build import adaptations_of
from harness.prepare.fusion import Fusion
from harness.prepare.multitask import Multitask
from tests.contract.cells import Case, Read, labels_of, run, same, task_of
from tests.contract.test_preparations import Folder, cmaml, meta, workshop_for

DROPOUT = 0.1
CMAML = [part for part in adaptations_of(methods()["cmaml"]) if isinstance(part, Adaptation)]
PREPARATIONS: dict[str, tuple[Preparation, list[Adaptation]]] = {
    "meta, tasks together": (meta(), [LoRA(rank=2)]),
    "meta, one task after another": (meta(inner={"updates": "everything"}), [LoRA(rank=2)]),
    "meta, in second order": (meta(order=2, memory="recompute"), [LoRA(rank=2)]),
    "meta, looking at meta_dev": (meta(outer={"patience": 2, "check_every": 1}), [LoRA(rank=2)]),
    "cmaml": (cmaml(), CMAML),
    "fusion": (Fusion(steps=2, batch_size=2), [AdapterFusion(bottleneck=4)]),
    "multitask": (Multitask(steps=2, batch_size=2), []),
}


def disturb(seed: int) -> None:
    """Leave the generator as something else before may have left it."""
    torch.manual_seed(seed)
    torch.rand(seed)


@pytest.mark.parametrize("name", PREPARATIONS)
def test_a_preparation_draws_it_from_its_seed(name: str, checkpoint_folder: Folder, tmp_path: Path) -> None:
    preparation, parts = PREPARATIONS[name]

    def made(place: str, seed: int, dropout: float) -> dict[str, bytes]:
        disturb(seed)
        folder = tmp_path / place
        folder.mkdir()
        workshop = workshop_for(folder, "bert", checkpoint_folder("bert", dropout), preparation, parts, None)
        preparation.prepare(workshop)
        return {file.name: file.read_bytes() for file in workshop.saved_to.glob("*.safetensors")}

    one = made("one", 1, DROPOUT)
    assert made("again", 2, DROPOUT) == one
    assert made("without", 1, 0.0) != one, "no dropout took part"


@pytest.mark.parametrize("method", ["tams", "cmaml", "diff_pruning", "masking", "prefix", "adapter_fusion"])
def test_a_cell_draws_it_from_its_seed(method: str, checkpoint: Read, tmp_path: Path) -> None:
    kind: Any = "token-classification"
    case, splits = Case(method, "bert", kind), task_of(kind)[2]

    def made(seed: int, dropout: float) -> dict[str, torch.Tensor]:
        disturb(seed)
        return run(tmp_path, case, checkpoint("bert", kind, labels_of(kind), dropout), splits).trained()

    one = made(1, DROPOUT)
    assert same(one, made(2, DROPOUT))
    assert not same(one, made(1, 0.0)), "no dropout took part"
