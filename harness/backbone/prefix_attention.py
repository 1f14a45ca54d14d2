"""Attention that also reads a prefix of keys and values.

Transformers looks its attention function up by name; ours is theirs (scaled dot product) with the
prefix put before the keys and values. The prefix never enters the generation cache, so it serves
training, teacher forcing and generation alike.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from harness.base.errors import Unsupported

NAME = "headstart_prefix"


def check_takes_prefix(attention: nn.Module) -> None:
    """Raise Unsupported where a model computes its attention by itself, without asking for a function by name."""
    if not hasattr(sys.modules[type(attention).__module__], "ALL_ATTENTION_FUNCTIONS"):
        own = type(attention).__name__
        raise Unsupported(f"transformers' {own} lets nothing stand before its own keys and values, so not a prefix")


def add_prefix(model: nn.Module, attention: nn.Module, prefix: Callable[[], tuple[Tensor, Tensor]]) -> None:
    """Let `attention`, a part of `model`, read the keys and values that `prefix()` gives."""
    for part in model.modules():
        if isinstance(part, PreTrainedModel):  # the stacks of some models have a configuration each
            part.config._attn_implementation = NAME
    attention.__dict__["prefix"] = prefix  # past nn.Module's own bookkeeping


def prefix_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    is_causal: bool | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Scaled dot product attention; query, key, value are [batch, heads, tokens, head width], keys' heads may be fewer.

    A bias by distance, [1, heads, queries, keys], is zero for the prefix, which stands at no distance.
    """
    prefix = module.__dict__.get("prefix")
    if prefix is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, is_causal=is_causal, **options)
    causal = is_causal if is_causal is not None else getattr(module, "is_causal", False)
    queries, tokens = query.shape[2], key.shape[2]
    if attention_mask is None and causal and queries > 1:
        attention_mask = torch.ones(queries, tokens, dtype=torch.bool, device=query.device).tril(tokens - queries)
    more_keys, more_values = prefix()
    key = torch.cat([_for_rows(more_keys.to(key.dtype), query.shape[0]), key], dim=2)
    value = torch.cat([_for_rows(more_values.to(value.dtype), query.shape[0]), value], dim=2)
    if attention_mask is not None:
        seen = 1.0 if attention_mask.dtype == torch.bool else 0.0
        attention_mask = functional.pad(attention_mask, (more_keys.shape[-2], 0), value=seen)
    if options.get("position_bias") is not None:
        options["position_bias"] = functional.pad(options["position_bias"], (more_keys.shape[-2], 0))
    return sdpa_attention_forward(module, query, key, value, attention_mask, is_causal=False, **options)


def _for_rows(prefix: Tensor, rows: int) -> Tensor:
    """The prefix for each row of a batch; with a task axis, for each row of each task."""
    if prefix.ndim == 3:
        return prefix.expand(rows, *prefix.shape)
    return prefix.repeat_interleave(rows // prefix.shape[0], dim=0)


AttentionInterface.register(NAME, prefix_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
