"""Backbones from checkpoint directories, each cell with a fresh copy and a head of its own seed."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForTokenClassification,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from harness.backbone.anatomy import anatomies, architecture_of, check_kind
from harness.backbone.backbone import Backbone, best_device
from harness.base.errors import bad, reason
from harness.contracts.method import Kind

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

CLASSES: dict[Kind, Any] = {
    "token-classification": AutoModelForTokenClassification,
    "causal-lm": AutoModelForCausalLM,
    "summarization": AutoModelForSeq2SeqLM,
}


def load_tokenizer(checkpoint: Path) -> Any:
    """The checkpoint's tokenizer, with a padding sign; words may begin a text without a space."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True, add_prefix_space=True)
    except (OSError, ValueError) as error:
        mend = f"it cannot be read ({reason(error)}); save one beside the model"
        raise bad(checkpoint, "the tokenizer", None, mend) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def forget_generation(model: PreTrainedModel) -> None:
    """Leave a model without settings of generation but its special tokens.

    Those that a checkpoint brings never count: the task has its own. They are not even read, since transformers
    refuses some; so the loader is given empty ones.
    """
    if model.can_generate():
        model.generation_config = GenerationConfig.from_model_config(model.config)


def head_of(model: PreTrainedModel) -> frozenset[str]:
    """The names of the parameters above the model's body."""
    body = model.base_model_prefix + "."
    return frozenset(name for name, _ in model.named_parameters() if not name.startswith(body))


def outline(config: PreTrainedConfig, kind: Kind) -> Backbone:
    """The backbone of a configuration without weights, on torch's meta device: to count it costs nothing."""
    with torch.device("meta"):
        model = CLASSES[kind].from_config(copy.deepcopy(config))
    head = head_of(model) if kind == "token-classification" else frozenset()
    return Backbone(model.eval(), anatomies()[config.model_type], kind, head)


@torch.no_grad()
def draw_fresh(model: PreTrainedModel, parameters: Iterable[Tensor], seed: int) -> None:
    """Set the model's `parameters` as in a new model: biases zero, weights normal with its configuration's spread."""
    generator = torch.Generator().manual_seed(seed)
    spread = getattr(model.config, "initializer_range", 0.02)
    for parameter in parameters:
        drawn = torch.zeros(parameter.shape)  # drawn on the CPU, so that every device begins alike
        parameter.copy_(drawn if parameter.ndim == 1 else drawn.normal_(0.0, spread, generator=generator))


class Checkpoint:
    """A checkpoint directory read once, from which any number of fresh backbones come."""

    def __init__(self, folder: Path, kind: Kind, labels: int | None = None) -> None:
        architecture = architecture_of(folder)
        check_kind(folder, architecture, kind)
        self.kind = kind
        self.anatomy = anatomies()[architecture]
        self.tokenizer = load_tokenizer(folder)
        options = {"num_labels": labels} if labels is not None else {}
        try:
            self.model: PreTrainedModel
            self.model, report = CLASSES[kind].from_pretrained(
                folder,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                generation_config=GenerationConfig(),
                **options,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise bad(folder, "the weights", None, f"they cannot be read ({reason(error)}); fetch them again") from None
        forget_generation(self.model)
        # A cache of keys and values serves generation alone; elsewhere it is built for nothing.
        self.model.config.use_cache = kind == "summarization"
        parts = dict(self.model.named_parameters())
        fresh = {name for name in report["missing_keys"] if name in parts}
        fresh |= {entry[0] for entry in report["mismatched_keys"]}
        body = self.model.base_model_prefix + "."
        lacking = sorted(name for name in fresh if name.startswith(body))
        if lacking:
            raise bad(folder, "a missing weight of the model's body", lacking[0], "fetch the checkpoint again")
        # A head that a preparation trained is in the checkpoint, yet it is a head all the same.
        self.head = head_of(self.model) if labels is not None else frozenset()
        self.fresh = frozenset(fresh)

    def outline(self) -> Backbone:
        """The same backbone without weights."""
        return outline(self.model.config, self.kind)

    def backbone(self, seed: int) -> Backbone:
        """A copy whose new parameters, if any, are drawn from `seed`."""
        model = copy.deepcopy(self.model)
        draw_fresh(model, [parameter for name, parameter in model.named_parameters() if name in self.fresh], seed)
        model.eval()
        return Backbone(model.to(best_device()), self.anatomy, self.kind, self.head)
