"""Time of a meta-iteration relative to TorchOpt's, and memory against the number of inner steps.

The same model, adaptation, values and batches; TorchOpt runs the meta-batch's tasks one after another, as
its own examples do, ours in one pass through the shared body. Iterations alternate in one process, so that
the machine's noise falls on both; the meta-gradients are compared before anything is timed. Memory is what
autograd holds at its highest, counted byte by byte.

    pip install torchopt
    python benchmarks/meta.py [--rounds 15] [--width 64] [--layers 2] [--steps 5] [--tasks 4]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import BertConfig, BertForTokenClassification, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from harness.adaptations.adapter import Adapter
from harness.backbone.anatomy import anatomies
from harness.backbone.backbone import Backbone
from harness.contracts.method import Kind, Train
from harness.learn.batches import Batch
from harness.meta.gradient import meta_gradient
from harness.meta.inner import Values
from harness.meta.tasks import TaskLosses

ROWS, LENGTH, LR, BOTTLENECK, LABELS = 4, 24, 0.03, 16, 7
Gradients = tuple[Values, Values]


class Case:
    """A backbone with an adapter, and the batches of one meta-iteration."""

    def __init__(self, model: PreTrainedModel, kind: Kind, steps: int, tasks: int) -> None:
        head = frozenset(name for name, _ in model.named_parameters() if "classifier" in name)
        self.backbone = Backbone(model, anatomies()[model.config.model_type], kind, head)
        Adapter(bottleneck=BOTTLENECK).attach(self.backbone)
        self.kind, self.tasks = kind, tasks
        self.start = {name: value.detach() for name, value in self.backbone.trained().items()}
        every = self.backbone.named_parameters()
        self.body = {name: value.detach() for name, value in every if name not in self.start}
        self.support = [self._batch() for _ in range(steps)]
        self.query = self._batch()
        self.settings = Train(steps=steps, lr=LR, optimizer="sgd", schedule="constant", warmup=0, clip=1e9)

    def _batch(self) -> Batch:
        ids = torch.randint(5, 1000, (self.tasks * ROWS, LENGTH))
        labels = ids % LABELS if self.kind == "token-classification" else ids
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}

    def ours(self, order: Literal[1, 2], memory: Any = "store") -> Gradients:
        """The meta-gradient in one pass for all tasks."""
        start = {name: value.expand(self.tasks, *value.shape) for name, value in self.start.items()}
        losses = TaskLosses(self.backbone, self.tasks)
        found = meta_gradient(
            losses, self.body, start, self.support, self.query, self.settings, order=order, memory=memory
        )
        return found.body, {name: value.sum(0) for name, value in found.start.items()}

    def theirs(self, order: Literal[1, 2]) -> Gradients:
        """The same by TorchOpt, task by task."""
        import torchopt

        body = {name: value.detach().requires_grad_() for name, value in self.body.items()}
        start = {name: value.detach().requires_grad_() for name, value in self.start.items()}
        optimizer = torchopt.sgd(lr=LR)
        total = torch.zeros(())
        carried: list[Values] = []
        with sdpa_kernel(SDPBackend.MATH) if order == 2 else sdpa_kernel(list(SDPBackend.__members__.values())):
            for task in range(self.tasks):
                values = start if order == 2 else {name: value.detach() for name, value in start.items()}
                state = optimizer.init(tuple(values.values()))
                for batch in self.support:
                    if order == 1:
                        values = {name: value.detach().requires_grad_() for name, value in values.items()}
                    inner = self._loss({**(body if order == 2 else self.body), **values}, batch, task)
                    gradients = torch.autograd.grad(inner, tuple(values.values()), create_graph=order == 2)
                    updates, state = optimizer.update(gradients, state, inplace=False)
                    stepped = torchopt.apply_updates(tuple(values.values()), updates, inplace=False)
                    values = dict(zip(values, stepped, strict=True))
                if order == 1:
                    values = {name: value.detach().requires_grad_() for name, value in values.items()}
                    carried.append(values)
                total = total + self._loss({**body, **values}, self.query, task)
            ends = list(start.values()) if order == 2 else [value for values in carried for value in values.values()]
            found = torch.autograd.grad(total, [*body.values(), *ends], allow_unused=True)
        of_body = {
            name: torch.zeros_like(value) if gradient is None else gradient
            for (name, value), gradient in zip(body.items(), found, strict=False)
        }
        rows, count = found[len(body) :], len(start)
        groups = [rows[at : at + count] for at in range(0, len(rows), count)]
        of_start = {name: torch.stack([group[place] for group in groups]).sum(0) for place, name in enumerate(start)}
        return of_body, of_start

    def _loss(self, values: Values, batch: Batch, task: int) -> Tensor:
        rows = {name: tensor[task * ROWS : (task + 1) * ROWS] for name, tensor in batch.items()}
        loss: Tensor = torch.func.functional_call(self.backbone, values, kwargs=rows).loss
        return loss


class _Held:
    """A tensor that autograd holds; the class counts the bytes of all that live."""

    now = highest = 0

    def __init__(self, value: Tensor) -> None:
        self.value, self.size = value, value.numel() * value.element_size()
        _Held.now += self.size
        _Held.highest = max(_Held.highest, _Held.now)

    def __del__(self) -> None:
        _Held.now -= self.size


def held_mib(run: Callable[[], object]) -> float:
    """The most that autograd held at once, in MiB."""
    _Held.now = _Held.highest = 0
    with torch.autograd.graph.saved_tensors_hooks(_Held, lambda held: held.value):
        run()
    return _Held.highest / 2**20


def check(case: Case, order: Literal[1, 2]) -> None:
    """End the program where the two sides do not compute the same."""
    for ours, theirs in zip(case.ours(order), case.theirs(order), strict=True):
        for name, value in ours.items():
            torch.testing.assert_close(
                value, theirs[name], rtol=1e-3, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}"
            )


def timed(case: Case, order: Literal[1, 2], rounds: int) -> str:
    """Medians of both sides and the ratio, with the quartiles of the paired ratios."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for place in range(rounds + 2):
        sides = [("ours", case.ours), ("theirs", case.theirs)]
        for which, run in sides if place % 2 else reversed(sides):
            begin = time.perf_counter()
            run(order)  # type: ignore[operator]
            if place >= 2:
                times[which].append(time.perf_counter() - begin)
    ours, theirs = statistics.median(times["ours"]), statistics.median(times["theirs"])
    low, _, high = statistics.quantiles([a / b for a, b in zip(times["ours"], times["theirs"], strict=True)], n=4)
    return f"{1e3 * ours:8.1f} ms {1e3 * theirs:8.1f} ms   ratio {ours / theirs:.3f} ({low:.3f} to {high:.3f})"


def models(width: int, layers: int) -> list[tuple[PreTrainedModel, Kind]]:
    """An encoder and a decoder without dropout."""
    torch.manual_seed(0)
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    bert = BertConfig(
        vocab_size=1000, hidden_size=width, num_hidden_layers=layers, num_attention_heads=4,
        intermediate_size=4 * width, num_labels=LABELS, **still,
    )  # fmt: skip
    gpt2 = GPT2Config(
        vocab_size=1000,
        n_embd=width,
        n_layer=layers,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    return [(BertForTokenClassification(bert), "token-classification"), (GPT2LMHeadModel(gpt2), "causal-lm")]


def main() -> None:
    """Check, time, and count memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"rounds": 15, "width": 64, "layers": 2, "steps": 5, "tasks": 4, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        import torchopt

        print(f"meta-iteration, ours and TorchOpt {torchopt.__version__}:")
    except ImportError:
        sys.exit("TorchOpt is not installed; run `pip install torchopt` first")
    for model, kind in models(options.width, options.layers):
        case = Case(model, kind, options.steps, options.tasks)
        for order in (1, 2):
            check(case, order)  # type: ignore[arg-type]
            print(f"{model.config.model_type:<6} order {order} {timed(case, order, options.rounds)}")  # type: ignore[arg-type]
    print("\nheld by autograd at its highest, MiB, by inner steps:")
    steps = (1, 2, 4, 8)
    print(f"{'':<26}" + "".join(f"{count:>9}" for count in steps))
    for model, kind in models(options.width, options.layers):
        cases = [Case(model, kind, count, options.tasks) for count in steps]
        ways: list[tuple[str, Any, Any]] = [("first order", 1, "store"), ("second, store", 2, "store")]
        for name, order, memory in [*ways, ("second, recompute", 2, "recompute")]:
            held = [held_mib(lambda case=case, o=order, m=memory: case.ours(o, m)) for case in cases]  # type: ignore[misc]
            print(f"{model.config.model_type:<6} {name:<19}" + "".join(f"{value:9.2f}" for value in held))
        adapted = sum(value.numel() * value.element_size() for value in cases[0].start.values())
        print(f"{'':<6} the adapted values of all tasks take {options.tasks * adapted / 2**20:.2f} MiB a step")


if __name__ == "__main__":
    main()
