"""A checkpoint tried as cells and preparations will use it, so that what it lacks is told once and before them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import PreTrainedModel

from harness.adapt.cell import check_room
from harness.backbone.anatomy import anatomies, positions_of
from harness.backbone.backbone import Backbone
from harness.backbone.files import check_folder
from harness.backbone.fit import check_fit, check_ids, check_known
from harness.backbone.load import Checkpoint
from harness.backbone.matching import attach_outline
from harness.backbone.weights import AGAIN
from harness.base.errors import Unsupported, bad, reason
from harness.contracts.adaptation import Adaptation
from harness.data.task import Features, Task
from harness.learn.batches import collate
from harness.learn.objectives import check_signs
from harness.prepare.pretraining import load_for_pretraining


@dataclass(frozen=True)
class Use:
    """What a run does with a checkpoint: for which task, and whether a preparation pretrains it further.

    `texts` are some of the task's own, where its data stand already; `methods` are adaptations by their method's name,
    of which it shall be told whether the checkpoint's architecture supports them.
    """

    task: Task
    max_length: int
    target_length: int
    pretrains: bool
    texts: list[str] = field(default_factory=list)
    methods: dict[str, list[Adaptation]] = field(default_factory=dict)


def try_checkpoint(folder: Path, use: Use) -> list[str]:
    """What to know of a checkpoint, a line each; raises UserError at the first fault that a cell would meet."""
    architecture = check_folder(folder)
    task = use.task.read_by(anatomies()[architecture].model_for(use.task.kind))
    longest, room = task.longest(use.max_length, use.target_length), positions_of(folder)
    if room is not None and longest > room:
        mend = f"{longest} are asked for; lower max_length of the task {use.task.folder.name}"
        raise bad(folder, "the number of tokens that it reads", room, mend)
    read = Checkpoint(folder, use.task.kind, use.task.labels)
    _check_finite(folder, read.model)
    check_fit(folder, read.tokenizer, read.model, read.kind)
    check_known(folder, read.tokenizer, use.texts, use.task.folder.name)
    encoded = task.encode([use.task.sample], read.tokenizer, use.max_length, use.target_length)
    whole = Backbone(read.model, read.anatomy, read.kind, read.head)
    _check_runs(folder, whole, encoded[0], read.tokenizer.pad_token_id)
    shown = " ".join(read.tokenizer.convert_ids_to_tokens(encoded[0][0]["input_ids"]))
    lines = [f"{architecture}, reads {shown}"]
    if read.fresh:
        lines.append(f"new, from each cell's seed: {', '.join(sorted(read.fresh))}")
    lines += _unsupported(read, use)
    return [*lines, *(_try_pretraining(folder, architecture) if use.pretrains else ())]


def _unsupported(read: Checkpoint, use: Use) -> list[str]:
    """The methods whose cells will be `unsupported` on this checkpoint, a line each with the reason."""
    lines = []
    task = use.task.read_by(read.kind)
    for name, adaptations in use.methods.items():
        try:
            backbone = attach_outline(adaptations, read.outline())
            check_room(backbone, task.longest(use.max_length, use.target_length))
        except Unsupported as error:
            lines.append(f"unsupported: {name} on {use.task.folder.name}, as {error}")
    return lines


def _try_pretraining(folder: Path, architecture: str) -> list[str]:
    """What to know of a checkpoint that a preparation pretrains further; raises UserError where none can."""
    model, tokenizer, drawn = load_for_pretraining(folder, 0)
    _check_finite(folder, model)
    check_signs(folder, anatomies()[architecture].objective, tokenizer)
    check_ids(folder, tokenizer, model)
    return [f"new, from each seed, where it is pretrained further: {', '.join(sorted(drawn))}"] if drawn else []


@torch.no_grad()
def _check_runs(folder: Path, backbone: Backbone, rows: list[Features], pad: int) -> None:
    """Raise UserError unless the model gives numbers for one example, at the CPU."""
    try:
        logits = backbone.eval()(**collate(rows, pad)).logits
    except Exception as error:  # what a model raises depends on what is odd about it
        mend = f"it cannot read the text of a task ({reason(error)}); {AGAIN}"
        raise bad(folder, "the model", type(backbone.model).__name__, mend) from None
    if not torch.isfinite(logits).all():
        raise bad(folder, "the output", "NaN or infinity", f"the model reads a text and gives no number; {AGAIN}")


def _check_finite(folder: Path, model: PreTrainedModel) -> None:
    """Raise UserError where a weight is no number."""
    for name, value in model.named_parameters():
        if not torch.isfinite(value).all():
            raise bad(folder, f"the weight {name}", "NaN or infinity", AGAIN)
