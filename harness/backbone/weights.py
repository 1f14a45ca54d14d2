"""Whether a checkpoint's weights are whole, seen from their headers without reading a tensor. No torch here."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from harness.base.errors import bad, reason

AGAIN = "fetch the checkpoint again"
QUANTIZED = "its weights are quantized, which cannot be trained; take the checkpoint before its quantization"
FLOATS = ("F64", "F32", "F16", "BF16")  # as a safetensors header calls them
POINTER = b"version https://git-lfs.github.com/spec/"


def check_weights(checkpoint: Path) -> None:
    """Raise UserError where the weights of a checkpoint directory are missing or cut, or pointers to them."""
    for part in weight_files(checkpoint):
        refuse_pointer(part)
        _check_file(part)


def weight_files(checkpoint: Path) -> list[Path]:
    """The files that hold a checkpoint's weights, of those that transformers would read; raises UserError if none."""
    for name in (  # in the order in which transformers looks for them
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    ):
        file = checkpoint / name
        if file.is_file():
            refuse_pointer(file)
            return _shards(file) if name.endswith(".json") else [file]
    raise bad(checkpoint, "the weights", None, f"there is no model.safetensors and no pytorch_model.bin; {AGAIN}")


def shapes_in(file: Path) -> dict[str, list[int]]:
    """The shape of each tensor in a whole safetensors file, by name."""
    with open(file, "rb") as start:
        header: dict[str, Any] = json.loads(start.read(int.from_bytes(start.read(8), "little")))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def refuse_pointer(file: Path) -> None:
    """Raise UserError where a file, if it is there, is what git lfs keeps in the place of one that was not fetched."""
    if not file.is_file():
        return
    with open(file, "rb") as start:
        text = start.read(len(POINTER))
    if text == POINTER:
        mend = "it is a pointer of git lfs and not the file itself; run `git lfs pull` in the checkpoint's repository"
        raise bad(file, "the content", text.decode(), mend)


def _shards(index: Path) -> list[Path]:
    """The files that an index of weights names."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad(index, "weight_map", None, f"it cannot be read ({reason(error)}); {AGAIN}") from None
    for name in names:
        if not (index.parent / str(name)).is_file():
            raise bad(index, "a file of weight_map", name, f"it does not exist; {AGAIN}")
    return [index.parent / str(name) for name in names]


def _check_file(file: Path) -> None:
    size = file.stat().st_size
    if file.suffix == ".safetensors":
        wanted = _whole_size(file)
        if size != wanted:
            raise bad(file, "the size in bytes", size, f"its header asks for {wanted}, so the file is cut; {AGAIN}")
    elif size == 0 or (_begins_as_zip(file) and not zipfile.is_zipfile(file)):
        raise bad(file, "the size in bytes", size, f"the end of the archive is missing, so the file is cut; {AGAIN}")


def _begins_as_zip(file: Path) -> bool:
    with open(file, "rb") as start:
        return start.read(2) == b"PK"  # what torch wrote before 1.6 is no archive, and cannot be seen from outside


def _whole_size(file: Path) -> int:
    """The size that a safetensors file has when it is whole: eight bytes, the header, then the tensors.

    Raises UserError where the header cannot be read, or tells of weights that are no floating-point numbers.
    """
    size = file.stat().st_size
    with open(file, "rb") as start:
        length = int.from_bytes(start.read(8), "little")
        text = start.read(length) if length < size else b""
    try:
        header: dict[str, Any] = json.loads(text)
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        ends = [entry["data_offsets"][1] for entry in entries.values()]
        kinds = {name: entry["dtype"] for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise bad(file, "the header", text[:40], f"it cannot be read ({reason(error)}); {AGAIN}") from None
    for name, kind in kinds.items():
        if name.endswith("weight") and kind not in FLOATS:
            raise bad(file, f"the type of the weight {name}", kind, QUANTIZED)
    return 8 + length + max(ends, default=0)
