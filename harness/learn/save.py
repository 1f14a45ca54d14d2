"""What an adaptation trained, saved and put back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from harness.backbone.backbone import Backbone
from harness.base.errors import UserError
from harness.base.files import whole_file
from harness.contracts.adaptation import Adaptation

ADAPTATION = "adaptation.safetensors"  # beside a prepared checkpoint: where its adaptation begins


def attach(backbone: Backbone, adaptations: Sequence[Adaptation], seed: int) -> None:
    """Attach adaptations in their order, their new parameters drawn from `seed`."""
    torch.manual_seed(seed)
    for adaptation in adaptations:
        adaptation.attach(backbone)
    backbone.to(backbone.device)


def save_trained(backbone: Backbone, path: Path) -> None:
    """Write the parameters that train, by name; the frozen ones stay in the checkpoint."""
    tensors = {name: value.detach().contiguous() for name, value in backbone.trained().items()}
    with whole_file(path) as beside:
        save_file(tensors, beside)


def load_trained(backbone: Backbone, path: Path) -> None:
    """Put saved parameters back into a backbone with the same adaptation attached."""
    saved, parameters = load_file(path), backbone.trained()
    if set(saved) != set(parameters):
        odd = sorted(set(saved) ^ set(parameters))[0]
        raise UserError(f"{path}: parameter {odd!r} is not on both sides; load it into the adaptation that saved it")
    with torch.no_grad():
        for name, value in saved.items():
            parameters[name].copy_(value)


def load_start(backbone: Backbone, checkpoint: Path) -> None:
    """Begin with the values that a preparation learned for the adaptation, if it learned any."""
    file = checkpoint / ADAPTATION
    if not file.is_file():
        return
    saved, parameters = load_file(file), dict(backbone.added.named_parameters())
    if {name: value.shape for name, value in saved.items()} != {name: its.shape for name, its in parameters.items()}:
        raise UserError(f"{file}: it holds another adaptation than the one attached; prepare again with this one")
    with torch.no_grad():
        for name, value in saved.items():
            parameters[name].copy_(value)


def stored_bytes(backbone: Backbone) -> int:
    """The bytes that `save_trained` needs for the tensors."""
    return sum(value.numel() * value.element_size() for value in backbone.trained().values())
