"""What a mistake is to the tests of refusals, and those of checkpoint directories."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests import project as use
from tests.project import CONFIG, Spoil


class Bad(NamedTuple):
    """A mistake, and what the sentence about it must hold: the file, the field, the value, the mend."""

    name: str
    spoil: Spoil
    file: str
    field: str
    value: str
    mend: str


def weights(cut: int) -> Spoil:
    def spoil(folder: Path) -> None:
        file = folder / "model" / "model.safetensors"
        file.write_bytes(file.read_bytes()[:cut])

    return use.both(use.checkpoint("bert"), spoil)


def without(*files: str) -> Spoil:
    """The local checkpoint less some of its files."""
    return use.both(use.checkpoint("bert"), *(lambda folder, file=file: (folder / file).unlink() for file in files))


def pointer(file: str) -> Spoil:
    """The local checkpoint with a file that git lfs has not fetched."""
    content = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 440449768\n"
    return use.both(use.checkpoint("bert"), use.text(file, content))


def in_place_of_weights(file: str, content: str | bytes) -> Spoil:
    """The local checkpoint with another file where its weights were."""
    return use.both(without("model/model.safetensors"), use.text(file, content))


CHECKPOINTS = [
    Bad("no folder", use.config(backbones={"encoder": {"source": "local", "path": "no"}}), CONFIG,
        "backbones.encoder.path", "'no'", "name a checkpoint directory"),
    Bad("no config.json", without("model/config.json"), "model", "the checkpoint", "'model'", "config.json is missing"),
    Bad("corrupt config.json", use.both(use.checkpoint("bert"), use.text("model/config.json", "{")),
        "model/config.json", "model_type", "None", "fetch the checkpoint again"),
    Bad("config.json is a list", use.both(use.checkpoint("bert"), use.text("model/config.json", "[1]")),
        "model/config.json", "model_type", "None", "fetch the checkpoint again"),
    Bad("no model_type", use.both(use.checkpoint("bert"), use.text("model/config.json", "{}")),
        "model/config.json", "model_type", "None", "use one of bert"),
    Bad("unknown model", use.checkpoint("xlnet"), "model/config.json", "model_type", "'xlnet'", "use one of"),
    Bad("wrong kind", use.checkpoint("bart"), "model/config.json", "architecture", "'bart'", "needs one of"),
    Bad("texts too long for the backbone", use.wikiann(max_length=256),
        CONFIG, "tasks.wikiann.max_length", "256", "reads at most 128 tokens"),
    Bad("GPT-2 for summaries", use.both(use.checkpoint("gpt2"), use.config(tasks={"adaptsum": {"budgets": [4]}},
        backbones={"encoder_decoder": {"source": "local", "path": "model"}})),
        "model/config.json", "architecture", "'gpt2'", "a summarization task needs one of bart"),
    Bad("no weights", without("model/model.safetensors"), "model", "the weights", "None", "no model.safetensors"),
    Bad("cut weights", weights(-10), "model.safetensors", "the size in bytes", "", "the file is cut"),
    Bad("cut header", weights(20), "model.safetensors", "the header", "", "fetch the checkpoint again"),
    Bad("empty weights", weights(0), "model.safetensors", "the header", "b''", "fetch the checkpoint again"),
    Bad("lost shard", in_place_of_weights("model/model.safetensors.index.json",
        '{"weight_map": {"a": "one.safetensors"}}'),
        "model.safetensors.index.json", "weight_map", "'one.safetensors'", "does not exist"),
    Bad("cut torch archive", in_place_of_weights("model/pytorch_model.bin", b"PK\x03\x04rest"),
        "pytorch_model.bin", "size in bytes", "8", "cut"),
    Bad("pointer for safetensors", pointer("model/model.safetensors"),
        "model/model.safetensors", "the content", "git-lfs", "run `git lfs pull`"),
    Bad("pointer for a torch archive", use.both(pointer("model/pytorch_model.bin"),
        lambda folder: (folder / "model/model.safetensors").unlink()),
        "model/pytorch_model.bin", "the content", "git-lfs", "run `git lfs pull`"),
    Bad("pointer for a shard", use.both(pointer("model/one.bin"),
        lambda folder: (folder / "model/model.safetensors").unlink(),
        use.text("model/pytorch_model.bin.index.json", '{"weight_map": {"a": "one.bin"}}')),
        "model/one.bin", "the content", "git-lfs", "run `git lfs pull`"),
    Bad("pointer for config.json", pointer("model/config.json"),
        "model/config.json", "the content", "git-lfs", "run `git lfs pull`"),
    Bad("pointer for a tokenizer", pointer("model/tokenizer.json"),
        "model/tokenizer.json", "the content", "git-lfs", "run `git lfs pull`"),
    Bad("pointer for a vocabulary", use.both(pointer("model/vocab.txt"),
        lambda folder: (folder / "model/tokenizer.json").unlink()),
        "model/vocab.txt", "the content", "git-lfs", "run `git lfs pull`"),
    Bad("pointer for merges", use.both(pointer("model/merges.txt"), use.text("model/vocab.json", "{}")),
        "model/merges.txt", "the content", "git-lfs", "run `git lfs pull`"),
    Bad("an adapter alone", use.both(without("model/config.json"), use.text("model/adapter_config.json", "{}")),
        "model", "the checkpoint", "'adapter_config.json'", "a PEFT adapter and not a model; merge it"),
    Bad("an adapter beside a model", use.both(use.checkpoint("bert"), use.text("model/adapter_config.json", "{}")),
        "model", "the checkpoint", "'adapter_config.json'", "a PEFT adapter and not a model; merge it"),
    Bad("quantized", use.both(use.checkpoint("bert"), use.text("model/config.json",
        '{"model_type": "bert", "quantization_config": {"bits": 4}}')),
        "model/config.json", "quantization_config", "{'bits': 4}", "before its quantization"),
    Bad("no number of positions", use.both(use.checkpoint("bert"), use.text("model/config.json",
        '{"model_type": "bert", "max_position_embeddings": null}')),
        "model/config.json", "max_position_embeddings", "None", "write a number"),
    Bad("no tokenizer", without("model/tokenizer.json"),
        "model", "the files of a tokenizer", "None", "save the model's tokenizer beside its weights"),
    Bad("half a tokenizer", use.both(without("model/tokenizer.json"), use.text("model/vocab.json", "{}")),
        "model/merges.txt", "the file", "None", "vocab.json needs it"),
    Bad("cut tokenizer", use.both(use.checkpoint("bert"), use.text("model/tokenizer.json", '{"version": "1.0", "mo')),
        "model/tokenizer.json", "the JSON", "None", "so the file is cut or spoiled"),
    Bad("cut tokenizer settings", use.both(use.checkpoint("bert"), use.text("model/tokenizer_config.json", '{"a"')),
        "model/tokenizer_config.json", "the JSON", "None", "so the file is cut or spoiled"),
    Bad("a list for settings", use.both(use.checkpoint("bert"), use.text("model/special_tokens_map.json", "[1]")),
        "model/special_tokens_map.json", "the JSON", "[1]", "write an object"),
]  # fmt: skip
