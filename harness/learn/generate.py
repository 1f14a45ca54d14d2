"""Generating texts by the task's settings, whatever settings the checkpoint brings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from harness.backbone.backbone import Backbone
from harness.data.generation import Generation
from harness.data.task import Features
from harness.learn.batches import Batch, by_length, collate

AT_ONCE = 32  # texts


def texts_of(backbone: Backbone, rows: list[Features], tokenizer: Any, how: Generation, longest: int) -> list[str]:
    """The best text for each row, of at most `longest` tokens."""
    texts = [""] * len(rows)
    for places in by_length(rows, AT_ONCE):
        goes_on = backbone.kind == "causal-lm"
        batch = collate([rows[place] for place in places], tokenizer.pad_token_id, backbone.device, before=goes_on)
        batch.pop("labels", None)
        made = generated(backbone, batch, how, longest, tokenizer)
        for place, text in zip(places, tokenizer.batch_decode(made, skip_special_tokens=True), strict=True):
            texts[place] = text.strip()
    return texts


def generated(backbone: Backbone, batch: Batch, how: Generation, longest: int, tokenizer: Any = None) -> Tensor:
    """The best text for each row, [batch, tokens], of at most `longest` tokens.

    An encoder-decoder's begin with the start sign; a decoder's go on behind what the rows hold, which is padded at its
    begin, and are given without it.
    """
    # Transformers fills what a call leaves out from the model's own settings, so those are replaced.
    backbone.transformer.generation_config = _settings(backbone, how, longest, tokenizer)
    made: Tensor = backbone.model.generate(**batch)
    return made[:, batch["input_ids"].shape[1] :] if backbone.kind == "causal-lm" else made


def _settings(backbone: Backbone, how: Generation, longest: int, tokenizer: Any) -> GenerationConfig:
    """The signs are the tokenizer's, by which the texts were learned, and the model's own where it has none."""
    config = backbone.transformer.config
    signs = {}
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        its = getattr(tokenizer, name, None)
        signs[name] = getattr(config, name) if its is None else its
    alone = backbone.kind == "causal-lm"
    start = None if alone else _start(backbone, signs["eos_token_id"], tokenizer)
    # A padding sign that is in no text that the model learns: nothing else keeps it from coming.
    odd = signs["pad_token_id"] != signs["eos_token_id"] if alone else start == signs["pad_token_id"]
    never = [[signs["pad_token_id"]]] if odd else None
    return GenerationConfig(
        num_beams=how.num_beams,
        length_penalty=how.length_penalty,
        no_repeat_ngram_size=how.no_repeat_ngram_size,
        early_stopping=how.early_stopping,
        do_sample=False,
        max_new_tokens=longest,
        forced_eos_token_id=signs["eos_token_id"] if how.forced_end else None,
        decoder_start_token_id=start,
        bad_words_ids=never,
        use_cache=backbone.transformer.generation_config.use_cache is not False if alone else config.use_cache,
        **signs,
    )


def _start(backbone: Backbone, end: int, tokenizer: Any) -> int:
    """The sign that the decoder read first in training, as the model itself puts it before a text that is learned."""
    learned = [end] if tokenizer is None else tokenizer(text_target="a")["input_ids"]
    model: Any = backbone.transformer
    read = model.prepare_decoder_input_ids_from_labels(labels=torch.tensor([learned], device=backbone.device))
    return int(read[0, 0])
