"""A small copy of the project in a temporary folder, for tests that break it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[1]
CONFIG = "run.yaml"
Spoil = Callable[[Path], Any]


def copy_project(folder: Path) -> None:
    """Config, methods, tasks and papers, without what `headstart tune` wrote, and one small configuration."""
    leave = shutil.ignore_patterns("tuned.yaml", "__pycache__")
    for name in ("config", "methods", "tasks", "papers", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    shutil.copy(ROOT / "Snakefile", folder)
    write_config(folder, {})


def copy_local_project(folder: Path) -> None:
    """The same with a backbone that stands already, as far as a plan can see."""
    copy_project(folder)
    checkpoint("bert")(folder)


def write_config(folder: Path, changes: Mapping[str, Any]) -> None:
    """The small configuration with some keys replaced."""
    content: dict[str, Any] = {
        "output": "out",
        "seeds": [0],
        "methods": ["finetune", "lora", "dapt"],
        "tasks": {"wikiann": {"budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}}},
        "backbones": {"encoder": backbone("bert", "wikiann")},
        "rates": "given",  # a test that is about something else searches none
    }
    (folder / CONFIG).write_text(yaml.safe_dump(content | dict(changes), sort_keys=False))


def backbone(architecture: str, task: str, **changes: Any) -> dict[str, Any]:
    """A tiny backbone that the run would pretrain."""
    spec = {"source": "pretrain", "architecture": architecture, "corpora": {task: ["meta_train"]}}
    return spec | {"layers": 1, "width": 16, "heads": 2, "vocabulary": 300, "steps": 1} | changes


def config(**changes: Any) -> Spoil:
    """Replace keys of the configuration."""
    return lambda folder: write_config(folder, changes)


def wikiann(**changes: Any) -> Spoil:
    """Replace keys of the configuration's task."""
    base = {"budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}}
    return config(tasks={"wikiann": base | changes})


def text(file: str, content: str | bytes) -> Spoil:
    """Write a file."""

    def spoil(folder: Path) -> None:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)

    return spoil


def edit(file: str, old: str, new: str) -> Spoil:
    """Replace the first `old` of a file by `new`."""

    def spoil(folder: Path) -> None:
        content = (folder / file).read_text()
        assert old in content
        (folder / file).write_text(content.replace(old, new, 1))

    return spoil


def both(*spoils: Spoil) -> Spoil:
    """Several changes in their order."""
    return lambda folder: [spoil(folder) for spoil in spoils]


def ner_data(folder: Path) -> None:
    """Six WikiAnn sentences a split in data/wikiann, and the configuration that reads them."""
    for domain in ("en", "nl"):
        for split in ("train", "dev", "test"):
            rows = [f"{domain}:word\tO\n{domain}:{domain}{split}{number}\tB-PER\n" for number in range(6)]
            text(f"data/wikiann/{domain}/{split}", "\n".join(rows))(folder)
    wikiann(source="local")(folder)


def pair_data(folder: Path) -> None:
    """Six documents with summaries a split in data/summarization, and the configuration that reads them."""
    for domain in ("email", "dialog"):
        text(f"data/summarization/{domain}/corpus.txt", "one\ntwo\n")(folder)
        for split in ("train", "val", "test"):
            for side in ("source", "target"):
                rows = [f"{domain} {split} {side} {number}\n" for number in range(6)]
                text(f"data/summarization/{domain}/{split}.{side}", "".join(rows))(folder)
    run = {"source": "local", "budgets": [4], "domains": {"email": "meta_train", "dialog": "meta_test"}}
    spec = {"encoder_decoder": backbone("bart", "adaptsum")}
    config(tasks={"adaptsum": run}, backbones=spec)(folder)


def checkpoint(model_type: str) -> Spoil:
    """A local checkpoint in `model/`, as far as its files show without being loaded, and the configuration with it."""

    def spoil(folder: Path) -> None:
        text("model/config.json", json.dumps({"model_type": model_type}))(folder)
        text("model/tokenizer.json", "{}")(folder)
        save_file({"weight": np.zeros((8, 8), np.float32)}, folder / "model" / "model.safetensors")
        config(backbones={"encoder": {"source": "local", "path": "model"}})(folder)

    return spoil
