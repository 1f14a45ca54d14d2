"""What an adaptation trained, saved and put back."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.backbone.backbone import Backbone
from harness.base.errors import UserError
from harness.base.files import whole_file
from harness.contracts.adaptation import Adaptation


def attach(backbone: Backbone, adaptations: list[Adaptation], seed: int) -> None:
    """Attach adaptations in their order, their new parameters drawn from `seed`."""
    torch.manual_seed(seed)
    for adaptation in adaptations:
        adaptation.attach(backbone)
    backbone.to(backbone.device)


def save_trained(backbone: Backbone, path: Path) -> None:
    """Write what the k examples left, by name; what is frozen stays in the checkpoint."""
    tensors = {name: value.detach().contiguous() for name, value in _left(backbone).items()}
    with whole_file(path) as beside:
        save_file(tensors, beside)


def load_trained(backbone: Backbone, path: Path) -> None:
    """Put saved parameters back into a backbone with the same adaptation attached."""
    saved, parameters = load_file(path), _left(backbone)
    if set(saved) != set(parameters):
        odd = sorted(set(saved) ^ set(parameters))[0]
        raise UserError(f"{path}: parameter {odd!r} is not on both sides; load it into the adaptation that saved it")
    with torch.no_grad():
        for name, value in saved.items():
            parameters[name].copy_(value)


def stored_bytes(backbone: Backbone) -> int:
    """The bytes that `save_trained` needs for the tensors."""
    return sum(value.numel() * value.element_size() for value in _left(backbone).values())


def _left(backbone: Backbone) -> dict[str, Tensor]:
    """The parameters that train, and the buffers in which adaptations keep what they observed."""
    return {**backbone.trained(), **{f"added.{name}": value for name, value in backbone.added.named_buffers()}}
