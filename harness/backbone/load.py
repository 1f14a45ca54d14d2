"""Backbones from checkpoint directories, each cell with a fresh copy and a head of its own seed."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BartConfig,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from harness.backbone.anatomy import anatomies, architecture_of, check_kind
from harness.backbone.backbone import Backbone, best_device
from harness.backbone.fit import check_anatomy
from harness.backbone.last_end import BartLastEnd
from harness.backbone.tokenizer import load_tokenizer
from harness.base.errors import bad, reason
from harness.contracts.method import LABELLING, Kind

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

AutoModelForSequenceClassification.register(BartConfig, BartLastEnd, exist_ok=True)
CLASSES: dict[Kind, Any] = {
    "token-classification": AutoModelForTokenClassification,
    "sequence-classification": AutoModelForSequenceClassification,
    "causal-lm": AutoModelForCausalLM,
    "summarization": AutoModelForSeq2SeqLM,
}


def forget_generation(model: PreTrainedModel) -> None:
    """Leave a model without settings of generation but its special tokens.

    Those that a checkpoint brings never count: the task has its own. They are not even read, since transformers
    refuses some; so the loader is given empty ones.
    """
    if model.can_generate():
        model.generation_config = GenerationConfig.from_model_config(model.config)


def head_of(model: PreTrainedModel) -> frozenset[str]:
    """The names of the parameters above the model's body."""
    whole: Any = model
    if model.base_model is not model:
        body = model.base_model_prefix + "."
        return frozenset(name for name, _ in model.named_parameters() if not name.startswith(body))
    # Body and head in one: what gives the logits is the head, unless it is the embeddings too.
    head = {id(parameter) for parameter in whole.get_output_embeddings().parameters()}
    head -= {id(parameter) for parameter in whole.get_input_embeddings().parameters()}
    return frozenset(name for name, parameter in model.named_parameters() if id(parameter) in head)


def outline(config: PreTrainedConfig, kind: Kind, head: frozenset[str] | None = None) -> Backbone:
    """The backbone of a configuration without weights, on torch's meta device: to count it costs nothing.

    `head` names the head's parameters where a checkpoint has said which they are.
    """
    with torch.device("meta"):
        model = CLASSES[kind].from_config(copy.deepcopy(config))
    if head is None:
        head = head_of(model) if kind in LABELLING else frozenset()
    return Backbone(model.eval(), anatomies()[config.model_type], kind, head)


@torch.no_grad()
def draw_fresh(model: PreTrainedModel, parameters: Iterable[Tensor], seed: int) -> None:
    """Set the model's `parameters` as in a new model: biases zero, weights normal with its configuration's spread.

    The gain of a norm, which is a vector that is no bias, is one.
    """
    generator = torch.Generator().manual_seed(seed)
    spread = getattr(model.config, "initializer_range", 0.02)
    gains = {id(parameter) for name, parameter in model.named_parameters() if name.endswith(".weight")}
    for parameter in parameters:
        if parameter.ndim == 1 and id(parameter) in gains:
            parameter.fill_(1.0)
            continue
        drawn = torch.zeros(parameter.shape)  # drawn on the CPU, so that every device begins alike
        parameter.copy_(drawn if parameter.ndim == 1 else drawn.normal_(0.0, spread, generator=generator))


class Checkpoint:
    """A checkpoint directory read once, from which any number of fresh backbones come.

    `labels` are the names of the task's labels, where the model needs a head for them. A head that the checkpoint
    holds is taken over where its labels have the same names, in whatever order; else it is drawn anew. `kind` is the
    task's, and of the model that serves it here (`Anatomy.model_for`).
    """

    def __init__(self, folder: Path, kind: Kind, labels: Sequence[str] | None = None) -> None:
        architecture = architecture_of(folder)
        check_kind(folder, architecture, kind)
        self.anatomy = anatomies()[architecture]
        self.kind, self.labels = self.anatomy.model_for(kind), None if labels is None else list(labels)
        # The model first: its config.json is read for the tokenizer too, and would be told as a fault of that.
        self.model, self.fresh = load_model(CLASSES[self.kind], folder, 0, labels)
        self.tokenizer = load_tokenizer(folder)
        # A cache of keys and values serves generation alone; elsewhere it is built for nothing.
        self.model.config.use_cache = self.kind == "summarization"
        # A head that a preparation trained is in the checkpoint, yet it is a head all the same.
        self.head = head_of(self.model) | self.fresh if labels is not None else frozenset()
        if kind == "sequence-classification":  # a decoder's answer stands at the last token that is no padding
            self.model.config.pad_token_id = self.tokenizer.pad_token_id

    def outline(self) -> Backbone:
        """The same backbone without weights."""
        return outline(self.model.config, self.kind, self.head)

    def backbone(self, seed: int) -> Backbone:
        """A copy whose new parameters, if any, are drawn from `seed`."""
        model = copy.deepcopy(self.model)
        draw_fresh(model, [parameter for name, parameter in model.named_parameters() if name in self.fresh], seed)
        model.eval()
        return Backbone(model.to(best_device()), self.anatomy, self.kind, self.head)


def load_model(
    model_class: Any, folder: Path, seed: int, labels: Sequence[str] | None = None
) -> tuple[PreTrainedModel, frozenset[str]]:
    """A checkpoint's model in float32, and the names of the parameters that it lacks, which are drawn from `seed`.

    What a half-precision checkpoint stores is rounded once, and never again by what is computed with it. With
    `labels`, the head's rows are theirs. Raises UserError where weights of the body are missing, any but a head's have
    another shape than config.json says, or the architecture's entry is not of this model.
    """
    names = dict(enumerate(labels or ()))
    options = {"id2label": names, "label2id": {name: place for place, name in names.items()}} if names else {}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model, report = model_class.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                generation_config=GenerationConfig(),
                **options,
            )
    except MemoryError:
        raise
    except Exception as error:  # of whatever file is odd: no list of the libraries' own kinds would be whole
        mend = f"it cannot be loaded ({reason(error)}); mend its config.json, or fetch the checkpoint again"
        raise bad(folder, "the model", architecture_of(folder), mend) from None
    check_anatomy(model)
    forget_generation(model)
    model.config.return_dict = True  # whatever the checkpoint's own use was
    head = head_of(model) if labels is not None else frozenset()
    _check_report(folder, model, report, head)
    fresh = {name for name, _ in model.named_parameters() if name in report["missing_keys"]}
    fresh |= {name for name, *_ in report["mismatched_keys"]}
    if labels is not None and not _sort_rows(folder, model, head - fresh, labels):
        fresh |= head
    return model, frozenset(fresh)


def _check_report(folder: Path, model: PreTrainedModel, report: dict[str, Any], head: frozenset[str]) -> None:
    """Raise UserError where the model is not the one that the checkpoint's weights are of."""
    for name, stored, wanted in sorted(report["mismatched_keys"]):
        if name not in head:
            mend = f"config.json asks for {list(wanted)}; fetch the checkpoint again"
            raise bad(folder, f"the shape of the weight {name}", list(stored), mend)
    above, prefix, pooler = head_of(model), model.base_model_prefix, anatomies()[model.config.model_type].pooler
    for name, _ in model.named_parameters():
        if pooler and head and name.startswith(f"{prefix}.{pooler}."):
            continue  # the head's own: it is drawn with it
        if name in report["missing_keys"] and name not in above:
            raise bad(folder, "a missing weight of the model's body", name, "fetch the checkpoint again")
    for stack in anatomies()[model.config.model_type].stacks.values():
        layers = len(list(model.base_model.get_submodule(stack.layers).children()))
        for name in sorted(report["unexpected_keys"]):
            found = re.search(rf"\b{re.escape(stack.layers)}\.(\d+)\.", name)
            if found and int(found[1]) >= layers:
                mend = f"config.json gives the model {layers} layers, and this would be left out; mend their number"
                raise bad(folder, "a weight", name, mend)


@torch.no_grad()
def _sort_rows(folder: Path, model: PreTrainedModel, head: frozenset[str], labels: Sequence[str]) -> bool:
    """Bring the rows of a stored head into the order of `labels`; False where its own labels have other names."""
    said = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label")
    names = [said.get(str(place)) for place in range(len(said))] if isinstance(said, dict) else []
    if len(names) != len(labels) or set(names) != set(labels):
        return False
    order = [names.index(label) for label in labels]
    above = [name for name, _ in model.named_parameters() if name in head]
    for name, parameter in model.named_parameters():
        if name in above and name.rpartition(".")[0] == above[-1].rpartition(".")[0]:  # the layer that gives the logits
            parameter.copy_(parameter[order])
    return True
