"""Time and kept memory of TARP's forward and backward pass, relative to PEFT's LoRA with as many parameters.

For the dense layers of GPT-2 medium and BART-base, one of each shape, W0 frozen. The variants take turns in one
process, so that the machine's noise falls on all; medians of the sum over the shapes are printed, with their
ratio to LoRA's. Memory is what autograd keeps for the backward pass, parameters left out; not what a pass
needs for a moment within one layer.

    python benchmarks/tarp.py [--models gpt2-medium bart-base] [--tokens 64 256] [--ranks 4 8 16 32] [--repeats 5]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import BartConfig, BartModel, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from harness.adaptations.tarp import Tarp
from harness.backbone.anatomy import anatomies
from harness.backbone.backbone import Backbone

VARIANTS: dict[str, dict[str, Any]] = {
    "dynamic": {},
    "dynamic, recompute": {"recompute": True},
    "bilinear (static)": {"decomposition": "bilinear"},
    "additive only": {"multiplicative": "none"},
}
Layers = dict[str, tuple[nn.Module, int]]  # by name: the layer and the width of its input


def gpt2_medium() -> PreTrainedModel:
    """One layer of its sizes."""
    return GPT2LMHeadModel(GPT2Config(vocab_size=100, n_embd=1024, n_head=16, n_layer=1))


def bart_base() -> PreTrainedModel:
    """One layer of each stack, of its sizes."""
    layers = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072}
    return BartModel(BartConfig(vocab_size=100, d_model=768, **layers))


def backbone_of(model: PreTrainedModel) -> Backbone:
    """A copy of the model, its body frozen."""
    return Backbone(copy.deepcopy(model), anatomies()[model.config.model_type], "causal-lm", frozenset())


def one_of_each_shape(backbone: Backbone) -> Layers:
    """The first dense layer of each shape, by its name in the model."""
    names = {id(module): name for name, module in backbone.model.named_modules()}
    shapes = {}
    for dense in backbone.dense_layers("all"):
        shapes.setdefault((dense.in_features, dense.out_features), dense)
    return {names[id(dense.module)]: (dense.module, dense.in_features) for dense in shapes.values()}


def with_tarp(model: PreTrainedModel, **options: Any) -> tuple[Layers, dict[str, int]]:
    """Layers with TARP, their factors away from the start, and what each layer trains."""
    backbone = backbone_of(model)
    Tarp(**options).attach(backbone)
    with torch.no_grad():
        for value in backbone.added.parameters():
            value.add_(0.01 * torch.randn_like(value))
    layers = one_of_each_shape(backbone)
    names = {id(module): name for name, module in backbone.model.named_modules()}
    sizes = {names[id(dense.module)]: 0 for dense in backbone.dense_layers("all")}
    for dense in backbone.dense_layers("all"):
        place = dense.name.replace(".", "_")
        added = [module for key, module in backbone.added.items() if key.rstrip("_") == place]
        sizes[names[id(dense.module)]] = sum(value.numel() for module in added for value in module.parameters())
    return layers, {name: sizes[name] for name in layers}


def with_lora(model: PreTrainedModel, sizes: dict[str, int]) -> Layers:
    """The same layers with PEFT's LoRA, each with the rank whose parameters are nearest in number."""
    backbone = backbone_of(model)
    shapes = {name: dense for name, (dense, _) in one_of_each_shape(backbone).items()}
    ranks = {name: max(1, round(sizes[name] / sum(shapes[name].weight.shape))) for name in shapes}  # type: ignore[union-attr,arg-type]
    widths = {name: width for name, (_, width) in one_of_each_shape(backbone).items()}
    settings = LoraConfig(r=1, target_modules=list(ranks), rank_pattern=ranks, lora_dropout=0.0)
    adapted: Any = get_peft_model(backbone.model, settings)
    return {name: (adapted.base_model.model.get_submodule(name), width) for name, width in widths.items()}


def bare(model: PreTrainedModel) -> Layers:
    """The frozen layers alone."""
    return one_of_each_shape(backbone_of(model))


def passes(layers: Layers, tokens: int) -> Callable[[], None]:
    """One forward and backward pass of every layer, the input's gradient among the others."""
    inputs = {name: torch.randn(1, tokens, width, requires_grad=True) for name, (_, width) in layers.items()}

    def once() -> None:
        for name, (layer, _) in layers.items():
            layer(inputs[name]).sum().backward()

    return once


def kept_bytes(layers: Layers, tokens: int) -> int:
    """What autograd keeps of one forward pass of every layer, each storage once, parameters left out."""
    kept: dict[int, int] = {}
    outputs = []  # alive, so that no two storages share an address

    def keep(value: Tensor) -> Tensor:
        if not isinstance(value, nn.Parameter) and value.untyped_storage().data_ptr() not in own:
            kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    for layer, width in layers.values():
        weights: Tensor = getattr(layer, "base_layer", layer).weight  # type: ignore[assignment]
        own = {weights.untyped_storage().data_ptr()}
        x = torch.randn(1, tokens, width, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            outputs.append((x, layer(x)))
    return sum(kept.values())


def compare(model: PreTrainedModel, tokens: int, rank: int, repeats: int) -> None:
    """Print a row a variant."""
    tarp = {name: with_tarp(model, rank=rank, **options) for name, options in VARIANTS.items()}
    variants = {name: layers for name, (layers, _) in tarp.items()}
    variants |= {"LoRA (PEFT)": with_lora(model, tarp["dynamic"][1]), "frozen": bare(model)}
    steps = {name: passes(layers, tokens) for name, layers in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for place in range(repeats + 1):
        for name in steps if place % 2 else reversed(steps):
            begin = time.perf_counter()
            steps[name]()
            if place:
                times[name].append(time.perf_counter() - begin)
    lora = statistics.median(times["LoRA (PEFT)"])
    kept = {name: kept_bytes(layers, tokens) / 2**20 for name, layers in variants.items()}
    for name in variants:
        median = statistics.median(times[name])
        print(f"{tokens:6} {rank:5}  {name:<20} {1e3 * median:9.1f} ms {median / lora:7.2f}", end="")
        print(f" {kept[name]:9.2f} MiB {kept[name] / kept['LoRA (PEFT)']:7.2f}", flush=True)


def main() -> None:
    """Compare over tokens and ranks."""
    models = {"gpt2-medium": gpt2_medium, "bart-base": bart_base}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=models, default=list(models))
    parser.add_argument("--tokens", nargs="+", type=int, default=[64, 256])
    parser.add_argument("--ranks", nargs="+", type=int, default=[4, 8, 16, 32])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.models:
        torch.manual_seed(0)
        model = models[name]()
        shapes = ", ".join(f"{dense.in_features} -> {dense.out_features}" for dense in _distinct(model))
        print(f"{name}: one layer of each of {shapes}; LoRA has as many parameters as dynamic TARP")
        print("tokens  rank  variant                     time  x LoRA         kept  x LoRA")
        for tokens in options.tokens:
            for rank in options.ranks:
                compare(model, tokens, rank, options.repeats)


def _distinct(model: PreTrainedModel) -> list[Any]:
    found = {(dense.in_features, dense.out_features): dense for dense in backbone_of(model).dense_layers("all")}
    return list(found.values())


if __name__ == "__main__":
    main()
