"""How large a run's backbones are, as their files or the configuration say. No torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.backbone.anatomy import anatomies
from harness.backbone.weights import shapes_in, weight_files
from harness.base.errors import UserError
from harness.contracts.plan import BackboneJob

UNKNOWN, LAYERS = 1e8, 12  # parameters and layers of a backbone that is not here yet, where its entry does not say
PER_LAYER = 12  # squares of the width in a layer of an encoder or a decoder: 4 its attention, 8 its FFN
EMBEDDINGS = re.compile(r"(?:^|[._])(?:\w*embed\w*|wte|wpe|shared)(?:[._]|$)")


@dataclass(frozen=True)
class Size:
    """A backbone: the parameters of its layers and of the table of its vocabulary, its layers and their width."""

    body: float
    table: float
    layers: int
    width: float


def size_of(job: BackboneJob) -> Size:
    """The size of a backbone; guessed where it is still to be fetched."""
    if job.spec["source"] == "pretrain":
        return _pretrained(job.spec)
    try:
        files = weight_files(Path(job.checkpoint))
    except UserError:  # it is fetched by the run
        body = float(job.spec.get("parameters") or UNKNOWN)
        return Size(body, 0.0, LAYERS, math.sqrt(body / LAYERS / PER_LAYER))
    shapes = {name: shape for file in files for name, shape in _shapes(file)}
    tables = [math.prod(shape) for name, shape in shapes.items() if EMBEDDINGS.search(name)]
    body = float(sum(map(math.prod, shapes.values())) - sum(tables))
    layers = _layers_in(Path(job.checkpoint) / "config.json")
    return Size(body, float(max(tables, default=0)), layers, math.sqrt(body / layers / PER_LAYER))


def _layers_in(file: Path) -> int:
    """The layers of a checkpoint, of all its stacks, as its config.json has them."""
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    described = anatomies().get(str(content.get("model_type")))
    depths = [content.get(name, 0) for name in described.depth] if described else []
    return sum(depths) * (len(described.stacks) if described and len(depths) == 1 else 1) or LAYERS


def _shapes(file: Path) -> Iterator[tuple[str, list[int]]]:
    """The shape of each tensor in a weight file; of one that only torch can read all as one, by its bytes."""
    if file.suffix != ".safetensors":
        yield file.name, [file.stat().st_size // 4]
        return
    yield from shapes_in(file).items()


def _pretrained(spec: dict[str, Any]) -> Size:
    """Of a backbone that is not made yet: in a layer 4 squares of the width an attention, 8 its FFN."""
    stacks = anatomies()[spec["architecture"]].stacks.values()
    squares = sum(8 + 4 * len(stack.attention) for stack in stacks)
    body = float(spec["layers"] * squares * spec["width"] ** 2)
    return Size(body, float(spec["vocabulary"] * spec["width"]), spec["layers"] * len(stacks), float(spec["width"]))
