"""Checkpoint directories as others leave them: what a tiny whole one is changed into."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor

from tests.models import sentences

SIGNS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
NAMES = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
BODIES = {"bert": ("bert.", "BertModel"), "gpt2": ("transformer.", "GPT2Model"), "bart": ("model.", "BartModel")}
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORD_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, ".", ",", *(f"##{letter}" for letter in LETTERS)]

VOCABULARY = "".join(f"{token}\n" for token in WORD_PIECES)


def config(folder: Path, **changes: Any) -> None:
    """Change keys of config.json."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def weights(folder: Path, change: Callable[[dict[str, Tensor]], Mapping[str, Tensor]]) -> None:
    """Change the tensors of model.safetensors."""
    file = folder / "model.safetensors"
    changed = {name: value.contiguous() for name, value in change(load_file(file)).items()}
    save_file(changed, file, metadata={"format": "pt"})


def halved(folder: Path, dtype: torch.dtype) -> None:
    """Store the weights in half precision, and say so in config.json."""
    weights(folder, lambda tensors: {name: value.to(dtype) for name, value in tensors.items()})
    config(folder, dtype=str(dtype).removeprefix("torch."))


def bared(folder: Path, architecture: str) -> None:
    """Leave the body alone, under the names that a model of the body alone gives its weights."""
    prefix, name = BODIES[architecture]
    weights(
        folder, lambda tensors: {n.removeprefix(prefix): value for n, value in tensors.items() if n.startswith(prefix)}
    )
    config(folder, architectures=[name])


def no_tokenizer(folder: Path) -> None:
    """Remove every file of the tokenizer."""
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)


def tokenizer_files(folder: Path, files: Mapping[str, str], **settings: Any) -> None:
    """Put other files in the tokenizer's place, and `settings` into tokenizer_config.json."""
    no_tokenizer(folder)
    for name, content in files.items():
        (folder / name).write_text(content)
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def byte_level(pre_tokenizer: Any, normalizer: Any = None, signs: bool = False) -> Tokenizer:
    """A byte-level BPE of 390 tokens, trained on the embedded texts; `signs` stand around a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        sentences(),
        trainers.BpeTrainer(vocab_size=390, special_tokens=SIGNS, initial_alphabet=alphabet, show_progress=False),
    )
    if signs:
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer
