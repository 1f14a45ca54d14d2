"""Time and memory of one training step with our LoRA, relative to PEFT's on the same model and batch.

Both train side by side in one process, steps alternating, so that the machine's noise falls on both;
medians and the ratio of medians are printed, with the interquartile range of the paired ratios.

    python benchmarks/step.py [--steps 60] [--width 256] [--layers 4]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from peft import LoraConfig, get_peft_model
from transformers import BertConfig, BertForTokenClassification, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from harness.adaptations.lora import LoRA
from harness.backbone.anatomy import anatomies
from harness.backbone.backbone import Backbone

RANK, SCALE = 8, 2.0
Step = Callable[[], None]


def stepper(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> Step:
    """One step of AdamW on what trains."""
    parameters = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    model.train()

    def step() -> None:
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def pair(model: PreTrainedModel, kind: str, targets: list[str]) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The same model with our LoRA and with PEFT's."""
    backbone = Backbone(copy.deepcopy(model), anatomies()[model.config.model_type], kind, frozenset())  # type: ignore[arg-type]
    LoRA(rank=RANK, scale=SCALE).attach(backbone)
    settings = LoraConfig(r=RANK, lora_alpha=int(RANK * SCALE), target_modules=targets, lora_dropout=0.0)
    return backbone, get_peft_model(model, settings)


def compare(name: str, ours: Step, theirs: Step, steps: int) -> None:
    """Print medians and the ratio of both."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for place in range(steps + 5):
        order = [("ours", ours), ("theirs", theirs)]
        for which, step in order if place % 2 else reversed(order):
            begin = time.perf_counter()
            step()
            if place >= 5:
                times[which].append(time.perf_counter() - begin)
    mine, peft = (statistics.median(times[which]) for which in ("ours", "theirs"))
    low, _, high = statistics.quantiles([a / b for a, b in zip(times["ours"], times["theirs"], strict=True)], n=4)
    print(f"{name:<8} ours {1e3 * mine:7.1f} ms   PEFT {1e3 * peft:7.1f} ms   ratio {mine / peft:.3f}", end="")
    print(f" (quartiles {low:.3f} to {high:.3f})")


def main() -> None:
    """Compare on an encoder and on a decoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    ids = torch.randint(5, 1000, (16, 64))
    sizes = {"vocab_size": 1000, "hidden_size": options.width, "num_hidden_layers": options.layers}
    bert = BertForTokenClassification(
        BertConfig(**sizes, num_attention_heads=8, intermediate_size=4 * options.width, num_labels=7)
    )
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=1000, n_embd=options.width, n_layer=options.layers, n_head=8))
    cases = (
        ("bert", bert, "token-classification", ["query", "value"], torch.randint(0, 7, ids.shape)),
        ("gpt2", gpt2, "causal-lm", ["c_attn"], ids),
    )
    for name, model, kind, targets, labels in cases:
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
        ours, theirs = (stepper(one, batch) for one in pair(model, kind, targets))
        compare(name, ours, theirs, options.steps)


if __name__ == "__main__":
    main()
