"""What a checkpoint's files say without being loaded: how long a text it reads, and which of them count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.backbone.anatomy import positions_of
from harness.backbone.files import read_files
from harness.base.errors import UserError
from harness.plan.backbones import files_print


def config(folder: Path, **content: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("content", "room"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 3}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 3}, 510),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 0}, 513),
        ({"model_type": "gpt2", "n_positions": 1024}, 1024),
        ({"model_type": "gpt2"}, None),
    ],
    ids=str,
)
def test_how_long_a_text_a_checkpoint_reads(content: dict[str, Any], room: int | None, tmp_path: Path) -> None:
    assert positions_of(config(tmp_path, **content)) == room


@pytest.mark.parametrize("field", ["max_position_embeddings", "pad_token_id"])
def test_what_is_no_number_is_refused(field: str, tmp_path: Path) -> None:
    content = {"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1, field: "many"}
    with pytest.raises(UserError, match=f"config.json: {field} is 'many'; write a number"):
        positions_of(config(tmp_path, **content))


@pytest.mark.parametrize(
    "name", ["vocab.txt", "merges.txt", "bpe.codes", "spiece.model", "model.safetensors", "a.json"]
)
def test_another_content_of_what_is_read_is_another_checkpoint(name: str, tmp_path: Path) -> None:
    found = set()
    for content in ("one", "other"):
        (tmp_path / name).write_text(content)
        (tmp_path / "README.md").write_text(content)
        assert [file.name for file in read_files(tmp_path)] == [name]
        found.add(files_print(tmp_path))
    assert len(found) == 2
