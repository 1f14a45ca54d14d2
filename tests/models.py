"""Tiny random checkpoints of the real classes, with a small tokenizer, for tests without a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

from harness.contracts.config import Pretrained
from harness.contracts.discover import tasks
from harness.contracts.task import Sizes
from harness.data.task import load_task
from harness.prepare.pretraining import train_tokenizer

WIDTH, LAYERS, HEADS, POSITIONS = 32, 2, 2, 64
SPREAD = 0.3  # of the weights: wide, so that attention is not flat and every path shows in the output
ARCHITECTURES = ("bert", "roberta", "gpt2", "bart")


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
    """A byte-level tokenizer of 400 tokens; GPT-2's adds no special tokens by itself."""
    name: Any = "gpt2" if architecture == "gpt2" else "bert"
    spec = Pretrained(source="pretrain", architecture=name, corpora={}, vocabulary=400, max_length=POSITIONS)
    return train_tokenizer(list(sentences()), spec)


def write_checkpoint(folder: Path, architecture: str, seed: int = 0) -> Path:
    """A checkpoint directory with random weights and a tokenizer beside them."""
    tokenizer = tokenizer_for(architecture)
    signs = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(seed)
    model = MAKERS[architecture](signs).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # biases of zero and norms of one would hide what is done to them
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _encoder(signs: dict[str, int], **options: int) -> dict[str, Any]:
    """What BERT and RoBERTa share."""
    return signs | {
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": 2 * WIDTH,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": SPREAD,
        **options,
    }


def _bert(signs: dict[str, int]) -> PreTrainedModel:
    return BertForMaskedLM(BertConfig(**_encoder(signs, max_position_embeddings=POSITIONS)))


def _roberta(signs: dict[str, int]) -> PreTrainedModel:
    # RoBERTa counts positions from the padding sign's id plus one.
    positions = POSITIONS + signs["pad_token_id"] + 1
    return RobertaForMaskedLM(RobertaConfig(**_encoder(signs, max_position_embeddings=positions, type_vocab_size=1)))


def _gpt2(signs: dict[str, int]) -> PreTrainedModel:
    config = GPT2Config(
        **signs,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        n_positions=POSITIONS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        classifier_dropout=0.0,
        initializer_range=SPREAD,
    )
    return GPT2LMHeadModel(config)


def _bart(signs: dict[str, int]) -> PreTrainedModel:
    config = BartConfig(
        **signs,
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=2 * WIDTH,
        decoder_ffn_dim=2 * WIDTH,
        max_position_embeddings=POSITIONS,
        dropout=0.0,
        attention_dropout=0.0,
        init_std=SPREAD,
        decoder_start_token_id=signs["eos_token_id"],
        forced_eos_token_id=signs["eos_token_id"],
    )
    return BartForConditionalGeneration(config)


MAKERS: dict[str, Callable[[dict[str, int]], PreTrainedModel]] = {
    "bert": _bert,
    "roberta": _roberta,
    "gpt2": _gpt2,
    "bart": _bart,
}
