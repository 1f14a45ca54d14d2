"""Which checkpoint a backbone is: its type, its size, where it is from and the hash of its weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from harness.backbone.anatomy import architecture_of
from harness.backbone.weights import shapes_in, weight_files
from harness.base.fingerprint import hash_file, hash_files

HERE = "pretrained by this run"


def identity_of(spec: dict[str, Any], checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint directory is, as records keep it, from the backbone's entry in the configuration.

    `parameters` counts the numbers of its weight files, heads and all; `sha256` is of those files (the fingerprint of
    their names and hashes where there are several), so two machines' backbones of one name are told apart.
    """
    files = weight_files(checkpoint)
    return {
        "type": architecture_of(checkpoint),
        "parameters": sum(map(_numbers_in, files)),
        "source": spec["source"],
        "from": {"local": checkpoint.name, "hub": spec.get("id")}.get(spec["source"], HERE),
        "revision": spec.get("revision"),
        "sha256": hash_file(files[0]) if len(files) == 1 else hash_files(files, checkpoint),
    }


def _numbers_in(file: Path) -> int:
    """How many numbers a weight file holds; a tensor that stands in it under several names counts once."""
    if file.suffix == ".safetensors":
        return sum(map(math.prod, shapes_in(file).values()))
    import torch  # in a job alone: a light command reads no weights

    tensors = torch.load(file, map_location="cpu", weights_only=True, mmap=_is_archive(file))
    return sum({value.data_ptr(): value.numel() for value in tensors.values()}.values())


def _is_archive(file: Path) -> bool:
    with open(file, "rb") as start:
        return start.read(2) == b"PK"
