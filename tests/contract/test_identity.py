"""A record says which checkpoint its backbone is: type, parameters, origin, and the hash of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM

from harness.backbone.identity import HERE, identity_of
from harness.base.fingerprint import hash_file
from tests.models import write_checkpoint

LOCAL: dict[str, Any] = {"source": "local", "path": "anywhere"}


def test_a_checkpoint_says_what_it_is(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "mini", "bert")
    found = identity_of(LOCAL, folder)
    model = AutoModelForMaskedLM.from_pretrained(folder)
    parameters = sum(value.numel() for value in model.parameters())  # the tied embeddings count once
    assert found == {
        "type": "bert",
        "parameters": parameters,
        "source": "local",
        "from": "mini",
        "revision": None,
        "sha256": hash_file(folder / "model.safetensors"),
    }


@pytest.mark.parametrize("name", ["pytorch_model.bin", "several files"])
def test_the_form_of_the_weights_changes_no_count(name: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "mini", "bert")
    whole = identity_of(LOCAL, folder)
    model = AutoModelForMaskedLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    if name == "pytorch_model.bin":
        torch.save(model.state_dict(), folder / name)
    else:
        model.save_pretrained(folder, max_shard_size="20KB")
        assert len(list(folder.glob("*.safetensors"))) > 1
    found = identity_of(LOCAL, folder)
    assert found["parameters"] == whole["parameters"]
    assert found["sha256"] != whole["sha256"]


def test_what_a_run_pretrained_and_what_the_hub_gave_are_told_apart(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "encoder-123", "bert")
    assert identity_of({"source": "pretrain"}, folder)["from"] == HERE
    hub = identity_of({"source": "hub", "id": "someone/model", "revision": "c" * 40}, folder)
    assert (hub["from"], hub["revision"]) == ("someone/model", "c" * 40)
