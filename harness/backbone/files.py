"""What a checkpoint directory must hold for a run, seen without loading it. No torch here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.backbone.anatomy import architecture_of
from harness.backbone.weights import QUANTIZED, check_weights, refuse_pointer
from harness.base.errors import bad, reason
from harness.base.paths import own_files

# What a tokenizer is read from: whole in one file, or a vocabulary with what splits words beside it.
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "bpe.codes", "*.model", "*.spm", "*.tiktoken")
SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "generation_config.json")


def check_folder(checkpoint: Path) -> str:
    """The architecture of a checkpoint directory; raises UserError where something that a run reads is not there.

    That is: its config.json, whole weights, and the files of a tokenizer; none of them a pointer of git lfs.
    """
    if (checkpoint / "adapter_config.json").is_file():
        mend = "the folder holds a PEFT adapter and not a model; merge it (merge_and_unload) and save the whole model"
        raise bad(checkpoint, "the checkpoint", "adapter_config.json", mend)
    for name in ("config.json", *SETTINGS):
        refuse_pointer(checkpoint / name)
    architecture = architecture_of(checkpoint)
    check_weights(checkpoint)
    _check_quantization(checkpoint / "config.json")
    _check_tokenizer(checkpoint)
    return architecture


def read_files(checkpoint: Path) -> list[Path]:
    """The files that can change what is read from a checkpoint directory, sorted."""
    kinds = (".json", ".safetensors", ".bin", ".txt", ".model", ".codes", ".spm", ".tiktoken")
    return [path for path in own_files(checkpoint) if path.suffix in kinds]


def _check_quantization(config: Path) -> None:
    how = json.loads(config.read_text(encoding="utf-8")).get("quantization_config")
    if how is not None:
        raise bad(config, "quantization_config", how, QUANTIZED)


def _check_tokenizer(checkpoint: Path) -> None:
    found = list(_vocabularies(checkpoint))
    if not found:
        mend = f"there is none of {', '.join(VOCABULARIES)}; save the model's tokenizer beside its weights"
        raise bad(checkpoint, "the files of a tokenizer", None, mend)
    for file in [*found, checkpoint / "merges.txt"]:
        refuse_pointer(file)
    if [file.name for file in found] == ["vocab.json"] and not (checkpoint / "merges.txt").is_file():
        mend = "vocab.json needs it beside itself; fetch the checkpoint again"
        raise bad(checkpoint / "merges.txt", "the file", None, mend)
    for name in ("tokenizer.json", "vocab.json", *SETTINGS):
        _check_json(checkpoint / name)


def _vocabularies(checkpoint: Path) -> Iterator[Path]:
    for pattern in VOCABULARIES:
        yield from (file for file in sorted(checkpoint.glob(pattern)) if file.is_file())


def _check_json(file: Path) -> None:
    """Raise UserError where a file is there and is not a whole JSON object."""
    if not file.is_file():
        return
    try:
        whole = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        mend = f"it cannot be read ({reason(error)}), so the file is cut or spoiled; fetch it again"
        raise bad(file, "the JSON", None, mend) from None
    if not isinstance(whole, dict):
        raise bad(file, "the JSON", whole, "write an object, or fetch it again")
