"""The tiny models' forward passes written out, with places for what an adaptation changes.

Of the models only their leaves are used: embeddings, dense layers and norms. What joins them stands here, one
attention head at a time, so that nothing depends on the project's places nor on Transformers' attention.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import ACT2FN

from harness.learn.batches import Batch

KeysAndValues = tuple[Tensor, Tensor]  # each [heads, length, head width]


class Unchanged:
    """What an adaptation changes, by the place's name: here nothing. Tests fill it in."""

    def sublayer(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        """What the residual is added to, for a sublayer that reads x and gives y."""
        return y

    def prefix(self, name: str) -> KeysAndValues | None:
        """What every query of an attention reads beside the tokens."""
        return None

    def final(self, y: Tensor) -> Tensor:
        """What the head reads, for a body that gives y."""
        return y


def attended(
    query: Tensor, key: Tensor, value: Tensor, allowed: Tensor, heads: int, prefix: KeysAndValues | None
) -> Tensor:
    """Softmax attention; query, key, value are [rows, tokens, width], `allowed` is [rows, queries, keys]."""
    width, parts = query.shape[-1] // heads, []
    for head in range(heads):
        its = slice(head * width, (head + 1) * width)
        weights = torch.einsum("rqd,rkd->rqk", query[..., its], key[..., its]) / math.sqrt(width)
        exponents = weights.exp() * allowed
        sums, mixed = exponents.sum(-1, keepdim=True), torch.einsum("rqk,rkd->rqd", exponents, value[..., its])
        if prefix is not None:
            extra = (torch.einsum("rqd,pd->rqp", query[..., its], prefix[0][head]) / math.sqrt(width)).exp()
            sums = sums + extra.sum(-1, keepdim=True)
            mixed = mixed + torch.einsum("rqp,pd->rqd", extra, prefix[1][head])
        parts.append(mixed / sums)
    return torch.cat(parts, -1)


def plain_logits(model: PreTrainedModel, batch: Batch, change: Unchanged) -> Tensor:
    """The logits of a model without hooks, changed."""
    mask = batch["attention_mask"].bool()
    body: Any = model.base_model
    head: Any = model
    if model.config.model_type == "gpt2":
        y = change.final(_gpt2(body, batch["input_ids"], mask, change))
        return head.lm_head(y) if hasattr(head, "lm_head") else head.classifier(y)  # type: ignore[no-any-return]
    if model.config.model_type == "bart":
        read = _bart_encoder(body.encoder, batch["input_ids"], mask, change)
        y = change.final(_bart_decoder(body.decoder, batch["decoder_input_ids"], read, mask, change))
        return head.lm_head(y) + head.final_logits_bias  # type: ignore[no-any-return]
    return head.classifier(change.final(_bert(body, batch["input_ids"], mask, change)))  # type: ignore[no-any-return]


def _bert(body: Any, ids: Tensor, mask: Tensor, change: Unchanged) -> Tensor:
    """Also RoBERTa's: a norm after each residual."""
    x: Tensor = body.embeddings(ids)
    bend, heads = ACT2FN[body.config.hidden_act], body.config.num_attention_heads
    for place, layer in enumerate(body.encoder.layer):
        its, name = layer.attention.self, f"encoder.{place}"
        mixed = attended(its.query(x), its.key(x), its.value(x), _to_all(mask, x), heads, change.prefix(f"{name}.self"))
        y = change.sublayer(f"{name}.self", x, layer.attention.output.dense(mixed))
        x = layer.attention.output.LayerNorm(x + y)
        y = change.sublayer(f"{name}.ffn", x, layer.output.dense(bend(layer.intermediate.dense(x))))
        x = layer.output.LayerNorm(x + y)
    return x


def _gpt2(body: Any, ids: Tensor, mask: Tensor, change: Unchanged) -> Tensor:
    """A norm before each sublayer, and one at the end."""
    x: Tensor = body.wte(ids) + body.wpe.weight[: ids.shape[1]]
    bend = ACT2FN[body.config.activation_function]
    for place, layer in enumerate(body.h):
        name, read = f"decoder.{place}", layer.ln_1(x)
        query, key, value = layer.attn.c_attn(read).chunk(3, dim=-1)
        seen = _to_all(mask, x).tril()
        mixed = attended(query, key, value, seen, body.config.n_head, change.prefix(f"{name}.self"))
        x = x + change.sublayer(f"{name}.self", read, layer.attn.c_proj(mixed))
        read = layer.ln_2(x)
        x = x + change.sublayer(f"{name}.ffn", read, layer.mlp.c_proj(bend(layer.mlp.c_fc(read))))
    normed: Tensor = body.ln_f(x)
    return normed


def _bart_encoder(stack: Any, ids: Tensor, mask: Tensor, change: Unchanged) -> Tensor:
    x: Tensor = stack.layernorm_embedding(stack.embed_tokens(ids) + stack.embed_positions(ids))
    for place, layer in enumerate(stack.layers):
        name = f"encoder.{place}"
        x = _bart_attention(f"{name}.self", layer.self_attn, layer.self_attn_layer_norm, x, x, _to_all(mask, x), change)
        x = _bart_ffn(f"{name}.ffn", layer, x, change)
    return x


def _bart_decoder(stack: Any, ids: Tensor, read: Tensor, mask: Tensor, change: Unchanged) -> Tensor:
    x: Tensor = stack.layernorm_embedding(stack.embed_tokens(ids) + stack.embed_positions(ids))
    past = torch.ones(ids.shape[1], ids.shape[1]).tril().expand(len(ids), -1, -1)
    for place, layer in enumerate(stack.layers):
        name = f"decoder.{place}"
        x = _bart_attention(f"{name}.self", layer.self_attn, layer.self_attn_layer_norm, x, x, past, change)
        norm, whole = layer.encoder_attn_layer_norm, _to_all(mask, x)
        x = _bart_attention(f"{name}.cross", layer.encoder_attn, norm, x, read, whole, change)
        x = _bart_ffn(f"{name}.ffn", layer, x, change)
    return x


def _bart_attention(
    name: str, its: Any, norm: nn.Module, x: Tensor, read: Tensor, allowed: Tensor, change: Unchanged
) -> Tensor:
    query, key, value = its.q_proj(x), its.k_proj(read), its.v_proj(read)
    mixed = attended(query, key, value, allowed, its.num_heads, change.prefix(name))
    normed: Tensor = norm(x + change.sublayer(name, x, its.out_proj(mixed)))
    return normed


def _bart_ffn(name: str, layer: Any, x: Tensor, change: Unchanged) -> Tensor:
    y = layer.fc2(torch.nn.functional.gelu(layer.fc1(x)))
    normed: Tensor = layer.final_layer_norm(x + change.sublayer(name, x, y))
    return normed


def _to_all(mask: Tensor, x: Tensor) -> Tensor:
    """Every query may see every token that is no padding, [rows, queries, keys]."""
    return mask[:, None, :].expand(-1, x.shape[1], -1)
