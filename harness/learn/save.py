"""What an adaptation trained, saved and put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

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


class Packed(nn.Module):
    """An added module that is stored as something smaller than its parameters, as one bit for each."""

    def pack(self) -> dict[str, Tensor]:
        """What has to be stored to use the module later, by name. On an outline the sizes are those of a training."""
        raise NotImplementedError(f"{type(self).__name__} must define pack")

    def unpack(self, stored: Mapping[str, Tensor]) -> None:
        """Set the parameters to what computes the same as the module that packed `stored`."""
        raise NotImplementedError(f"{type(self).__name__} must define unpack")


def save_trained(backbone: Backbone, path: Path) -> None:
    """Write what training made, by name: parameters as they are, packed modules as they pack."""
    with whole_file(path) as beside:
        save_file(_stored(backbone), beside)


def load_trained(backbone: Backbone, path: Path) -> None:
    """Put saved values back into a backbone with the same adaptation attached."""
    saved, here = load_file(path), _stored(backbone)
    if set(saved) != set(here):
        odd = sorted(set(saved) ^ set(here))[0]
        raise UserError(f"{path}: parameter {odd!r} is not on both sides; load it into the adaptation that saved it")
    packed = _packed(backbone)
    with torch.no_grad():
        for place, module in packed.items():
            its = {name.removeprefix(place): value for name, value in saved.items() if name.startswith(place)}
            module.unpack({name: value.to(backbone.device) for name, value in its.items()})
        for name, value in _as_they_are(backbone, packed).items():
            value.copy_(saved[name])


def stored_bytes(backbone: Backbone) -> int:
    """The bytes of the tensors that `save_trained` writes."""
    return sum(value.numel() * value.element_size() for value in _stored(backbone).values())


@torch.no_grad()
def _stored(backbone: Backbone) -> dict[str, Tensor]:
    """The tensors that have to be kept of a training; the frozen ones stay in the checkpoint."""
    packed = _packed(backbone)
    tensors = {name: value.detach() for name, value in _as_they_are(backbone, packed).items()}
    tensors |= {place + name: value for place, module in packed.items() for name, value in module.pack().items()}
    return {name: value.contiguous() for name, value in tensors.items()}


def _as_they_are(backbone: Backbone, packed: Iterable[str]) -> dict[str, Tensor]:
    """What trains, and what added modules keep in buffers of the examples that they saw; packed modules aside."""
    observed = {f"added.{name}": value for name, value in backbone.added.named_buffers()}
    both = {**backbone.trained(), **observed}
    return {name: value for name, value in both.items() if not name.startswith(tuple(packed))}


def _packed(backbone: Backbone) -> dict[str, Packed]:
    """The packed modules that train, by the beginning of their parameters' names."""
    found = {f"{name}.": module for name, module in backbone.named_modules() if isinstance(module, Packed)}
    return {
        place: module for place, module in found.items() if any(value.requires_grad for value in module.parameters())
    }


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
