"""Tiny random checkpoints of the real classes, with a small tokenizer, for tests without a network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import processors
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerFast

from harness.backbone.anatomy import Anatomy, anatomies
from harness.contracts.config import Pretrained
from harness.contracts.discover import tasks
from harness.contracts.task import Sizes
from harness.data.task import load_task
from harness.learn.objectives import READS
from harness.prepare.pretraining import CLASSES, train_tokenizer

WIDTH, LAYERS, HEADS, POSITIONS = 32, 2, 2, 64
HEAD_WIDTH = 24  # where a configuration says it: other than the width of the model over its heads
SPREAD = 0.3  # of the weights: wide, so that attention is not flat and every path shows in the output
ARCHITECTURES = ("bert", "roberta", "gpt2", "bart")  # on which every method runs


@cache
def sentences() -> tuple[str, ...]:
    """A few embedded texts of every task."""
    sizes = Sizes(train=8, dev=1, test=1)
    found = []
    for folder in tasks().values():
        source = folder.spec.sources.get("embedded")
        if source:
            task = load_task(folder)
            domain = next(iter(source.domains))
            found += [task.text(example) for example in task.at(domain).read_embedded(domain, sizes)["train"]]
    return tuple(found)


@cache
def tokenizer_for(architecture: str) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of 400 tokens; that of a decoder adds no special tokens by itself."""
    spec = Pretrained(source="pretrain", architecture=architecture, corpora={}, vocabulary=400, max_length=POSITIONS)
    tokenizer = train_tokenizer(list(sentences()), spec)
    if architecture == "mbart":  # a text ends with its end and the sign of its language
        signs = [(sign, tokenizer.convert_tokens_to_ids(sign)) for sign in ("</s>", "<unk>")]
        after = processors.TemplateProcessing(single="$A </s> <unk>", special_tokens=signs)
        tokenizer.backend_tokenizer.post_processor = after
    return tokenizer


def write_checkpoint(folder: Path, architecture: str, seed: int = 0, dropout: float = 0.0, **options: Any) -> Path:
    """A checkpoint directory with random weights and a tokenizer beside them; `options` are its configuration's."""
    tokenizer = tokenizer_for(architecture)
    signs = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(seed)
    model = make_model(architecture, anatomies()[architecture], signs, dropout, options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # biases of zero and norms of one would hide what is done to them
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_model(
    architecture: str, anatomy: Anatomy, signs: dict[str, int], dropout: float, more: Any
) -> PreTrainedModel:
    """A random model with the head of its pretraining; where keys may have fewer heads, they have one."""
    sizes = {"width": WIDTH, "depth": LAYERS, "heads": HEADS, "inner": 2 * WIDTH, "positions": POSITIONS}
    fields = anatomy.configuration(signs, **sizes, spread=SPREAD, dropout=dropout, key_heads=1)
    if anatomy.head_width:
        fields[anatomy.head_width] = HEAD_WIDTH
    config = AutoConfig.for_model(architecture, **{**fields, "classifier_dropout": dropout, **more})
    model: PreTrainedModel = CLASSES[READS[anatomy.objective]].from_config(config)
    return model
