"""Time and memory of one training step: every method against fine-tuning, and ours against PEFT's.

All train side by side in one process, steps in turn, so that the machine's noise falls on all. Seconds are
medians, with the quartiles of the paired ratios; operations, FLOPs and bytes are counted, and the same each time.
`saved` is what the forward pass holds for the backward pass, `state` gradients and the optimizer's moments.

    python benchmarks/step.py [--rounds 40] [--width 256] [--layers 4] [--model gpt2] [--methods lora prefix]
"""

from __future__ import annotations

import argparse
import copy
import statistics
from typing import Any

import torch
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from step_cost import Batch, Step, Work, ratio, seconds, work_of
from transformers import AutoConfig, PreTrainedModel

from harness.adaptations.lora import LoRA
from harness.adaptations.prefix import Prefix
from harness.backbone.anatomy import anatomies
from harness.backbone.backbone import Backbone
from harness.backbone.load import CLASSES, head_of
from harness.base.errors import Unsupported
from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import methods
from harness.contracts.method import Kind
from harness.learn.save import attach
from harness.parts.build import adaptations_of

RANK, LENGTH = 8, 8
KINDS: dict[str, Kind] = {"bert": "token-classification", "gpt2": "causal-lm", "bart": "summarization"}
PEFT_TARGETS = {"bert": ["query", "value"], "gpt2": ["c_attn"], "bart": ["q_proj", "v_proj"]}
PEFT_TASKS = {"bert": "TOKEN_CLS", "gpt2": "CAUSAL_LM", "bart": "SEQ_2_SEQ_LM"}


def make_model(name: str, width: int, layers: int) -> PreTrainedModel:
    """A model without dropout, so that no time goes into random numbers."""
    sizes: dict[str, dict[str, Any]] = {
        "bert": {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": 8, "num_labels": 7,
                 "intermediate_size": 4 * width, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
        "gpt2": {"n_embd": width, "n_layer": layers, "n_head": 8, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
                 "attn_pdrop": 0.0, "use_cache": False},
        "bart": {"d_model": width, "encoder_layers": layers, "decoder_layers": layers, "encoder_attention_heads": 8,
                 "decoder_attention_heads": 8, "encoder_ffn_dim": 4 * width, "decoder_ffn_dim": 4 * width,
                 "dropout": 0.0, "use_cache": False},
    }  # fmt: skip
    model: PreTrainedModel = CLASSES[KINDS[name]].from_config(
        AutoConfig.for_model(name, vocab_size=1000, **sizes[name])
    )
    return model


def make_batch(kind: Kind) -> Batch:
    """Sixteen rows of 64 tokens."""
    ids = torch.randint(5, 1000, (16, 64))
    labels = torch.randint(0, 7, ids.shape) if kind == "token-classification" else ids
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def adapted(model: PreTrainedModel, kind: Kind, adaptations: list[Adaptation]) -> Backbone:
    """A copy of the model with adaptations attached."""
    head = head_of(model) if kind == "token-classification" else frozenset()
    backbone = Backbone(copy.deepcopy(model), anatomies()[model.config.model_type], kind, head)
    attach(backbone, adaptations, 0)
    return backbone


def method_steps(model: PreTrainedModel, kind: Kind, batch: Batch, wanted: list[str] | None) -> dict[str, Step]:
    """A step of fine-tuning and of every method that differs from it in what it attaches."""
    steps = {}
    for method in methods().values():
        parts = adaptations_of(method)
        same = list(method.spec.adapt) == ["finetune"] and method.id != "finetune"
        fits = not method.spec.kinds or kind in method.spec.kinds
        chosen = wanted is None or method.id in [*wanted, "finetune"]
        if same or not fits or not chosen or not method.spec.train.steps or not isinstance(parts[0], Adaptation):
            continue
        try:
            steps[method.id] = Step(adapted(model, kind, parts), batch, parts)  # type: ignore[arg-type]
        except Unsupported as refused:
            print(f"{method.id:<16} {refused}")
    return steps


def peft_steps(name: str, model: PreTrainedModel, batch: Batch) -> dict[str, tuple[Step, Step]]:
    """Ours and PEFT's of each method that both have at the same sizes; theirs trains the head too, as ours does."""
    kind, task = KINDS[name], PEFT_TASKS[name]
    lora: list[Adaptation] = [LoRA(rank=RANK, scale=2.0)]
    pairs: dict[str, tuple[list[Adaptation], Any]] = {
        "lora": (lora, LoraConfig(task_type=task, r=RANK, lora_alpha=2 * RANK, target_modules=PEFT_TARGETS[name])),
        "prefix": ([Prefix(length=LENGTH)], PrefixTuningConfig(task_type=task, num_virtual_tokens=LENGTH)),
    }
    if name == "bart":
        # PEFT's prefix serves the decoder alone; ours serves the encoder and the cross-attention too.
        del pairs["prefix"]
    steps = {}
    for what, (ours, settings) in pairs.items():
        theirs = Step(get_peft_model(copy.deepcopy(model), settings), batch)
        steps[what] = Step(adapted(model, kind, ours), batch), theirs
    return steps


def line(name: str, times: tuple[list[float], list[float]], mine: Work, other: Work) -> None:
    """One row: milliseconds, then everything relative to the other."""
    middle, low, high = ratio(*times)
    print(
        f"{name:<16}{1e3 * statistics.median(times[0]):8.1f} ms  x{middle:.3f} ({low:.3f} to {high:.3f})"
        f"  FLOPs x{mine.flops / other.flops:.3f}"
        f"  operations {mine.operations:5d} x{mine.operations / other.operations:.3f}"
        f"  saved {mine.saved / 2**20:7.2f} MiB x{mine.saved / other.saved:.3f}"
        f"  state {mine.state / 2**20:7.3f} MiB x{mine.state / other.state:.3f}"
    )


def main() -> None:
    """Both comparisons on an encoder, a decoder and an encoder-decoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--methods", nargs="+", help="only these beside fine-tuning")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.model:
        torch.manual_seed(0)
        model, batch = make_model(name, options.width, options.layers), make_batch(KINDS[name])
        print(f"\n{name}: every method relative to fine-tuning")
        steps = method_steps(model, KINDS[name], batch, options.methods)
        work = {method: work_of(step) for method, step in steps.items()}
        times = seconds(steps, options.rounds)  # type: ignore[arg-type]
        for method in steps:
            line(method, (times[method], times["finetune"]), work[method], work["finetune"])
        print(f"{name}: ours relative to PEFT's")
        for what, (ours, theirs) in peft_steps(name, model, batch).items():
            pair = seconds({"ours": ours, "theirs": theirs}, options.rounds)
            line(what, (pair["ours"], pair["theirs"]), work_of(ours), work_of(theirs))


if __name__ == "__main__":
    main()
