"""Options of a training against plain loops, torch's own smoothing and transformers' schedules."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.backbone.losses import losses_of, text_losses
from harness.contracts.method import Train
from harness.data.task import Features
from harness.learn.batches import Batch, parts
from harness.learn.between import Stopping
from harness.learn.loop import train
from harness.learn.resume import Resume
from harness.learn.schedules import rate
from tests.parity.test_loop import batches, by_hand, named

PLAIN = Train(steps=3, lr=1e-3, schedule="constant", warmup=0.0, weight_decay=0.1)
KINDS = [("bert", "token-classification", 7), ("gpt2", "causal-lm", None)]
Read = Callable[..., Checkpoint]


def fresh(checkpoint: Read, architecture: str, kind: Any, labels: int | None, dropout: float = 0.0) -> Backbone:
    """A whole model that trains, in double precision."""
    backbone = checkpoint(architecture, kind, labels, dropout).backbone(0)
    backbone.double()
    backbone.train_all()
    return backbone


def assert_same(ours: Backbone, plain: Backbone, exactly: bool = False) -> None:
    close = {"rtol": 0.0, "atol": 0.0} if exactly else {"rtol": 1e-7, "atol": 1e-9}
    for (name, value), (_, other) in zip(ours.named_parameters(), plain.named_parameters(), strict=True):
        torch.testing.assert_close(value, other, msg=named(name), **close)


LIBRARY: dict[str, Callable[..., Any]] = {
    "linear": lambda optimizer, warmup, steps: transformers.get_linear_schedule_with_warmup(optimizer, warmup, steps),
    "polynomial": lambda optimizer, warmup, steps: transformers.get_polynomial_decay_schedule_with_warmup(
        optimizer, warmup, steps, lr_end=0.0, power=2.0
    ),
    "inverse_sqrt": lambda optimizer, warmup, steps: transformers.get_inverse_sqrt_schedule(optimizer, warmup),
    "cosine": lambda optimizer, warmup, steps: transformers.get_cosine_schedule_with_warmup(optimizer, warmup, steps),
    "constant": lambda optimizer, warmup, steps: transformers.get_constant_schedule_with_warmup(optimizer, warmup),
}


@pytest.mark.parametrize("warmup", [0, 1, 5])
@pytest.mark.parametrize("schedule", list(LIBRARY))
def test_schedules_are_the_librarys_behind_the_warmup(schedule: Any, warmup: int) -> None:
    steps, power = 20, 2.0 if schedule == "polynomial" else 1.0
    settings = Train(steps=steps, schedule=schedule, warmup=warmup, power=power)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    library = LIBRARY[schedule](optimizer, warmup, steps)
    theirs = []
    for _ in range(steps):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        library.step()
    ours = [rate(step, settings) for step in range(steps)]
    assert ours[warmup:] == pytest.approx(theirs[warmup:], rel=1e-9)
    assert ours[:warmup] == pytest.approx([(step + 1) / (warmup + 1) for step in range(warmup)])
    assert ours == [rate(step, settings.model_copy(update={"warmup": warmup / steps})) for step in range(steps)]


@pytest.mark.parametrize(("architecture", "kind", "labels"), KINDS)
def test_betas_are_adamws(architecture: str, kind: Any, labels: int | None, checkpoint: Read) -> None:
    ours = fresh(checkpoint, architecture, kind, labels)
    plain = copy.deepcopy(ours)
    settings = Train(steps=3, lr=1e-3, warmup=1, weight_decay=0.1, betas=(0.8, 0.98))
    train(ours, iter(batches(kind)), settings)
    by_hand(plain, batches(kind), settings)
    assert_same(ours, plain)


@pytest.mark.parametrize(("architecture", "kind", "labels"), KINDS)
def test_smoothed_losses_are_torchs(architecture: str, kind: Any, labels: int | None, checkpoint: Read) -> None:
    ours = fresh(checkpoint, architecture, kind, labels)
    plain = copy.deepcopy(ours)
    train(ours, iter(batches(kind)), PLAIN.model_copy(update={"label_smoothing": 0.1}))
    optimizer = torch.optim.AdamW(plain.parameters(), lr=PLAIN.lr, weight_decay=PLAIN.weight_decay)
    plain.train()
    for batch in batches(kind):
        logits, wanted = plain(**batch).logits, batch["labels"]
        if kind == "causal-lm":
            logits, wanted = logits[:, :-1], wanted[:, 1:]
        loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(plain.parameters(), PLAIN.clip)
        optimizer.step()
    assert_same(ours, plain)


def test_a_text_is_smoothed_over_its_own_domains_labels_and_a_number_never() -> None:
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[0.0, 2.0, 1.0], [2.0, 3.0, 0.0], [4.0, 1.0, 0.7]], dtype=torch.float64)
    found = text_losses(logits, labels, 0.2)
    first = functional.cross_entropy(logits[0, :2], torch.tensor(1), label_smoothing=0.2)
    second = functional.cross_entropy(logits[1, 2:5], torch.tensor(0), label_smoothing=0.2)
    torch.testing.assert_close(found, torch.stack([first, second, (logits[2, 4] - 0.7) ** 2]))
    assert torch.autograd.grad(found.sum(), logits)[0].isfinite().all()


@pytest.mark.parametrize(("architecture", "kind", "labels"), KINDS)
def test_accumulated_batches_learn_as_one_batch_of_all(
    architecture: str, kind: Any, labels: int | None, checkpoint: Read
) -> None:
    ours = fresh(checkpoint, architecture, kind, labels)
    plain, rows = copy.deepcopy(ours), batches(kind)
    assert [len(part["labels"]) for part in parts(rows[0], 3)] == [3, 1]
    settings = PLAIN.model_copy(update={"batch_size": 3, "accumulate": 2, "label_smoothing": 0.1})
    heard: list[float] = []
    ended = train(ours, iter(rows), settings, lambda _, loss: heard.append(loss))
    whole: list[float] = []
    once = settings.model_copy(update={"batch_size": 4, "accumulate": 1})
    assert train(plain, iter(rows), once, lambda _, loss: whole.append(loss)).tokens == ended.tokens
    assert heard == pytest.approx(whole, rel=1e-9)
    assert_same(ours, plain)


def dev_rows() -> list[Features]:
    """Five texts to look at, of several lengths."""
    ids = torch.randint(5, 40, (5, 9), generator=torch.Generator().manual_seed(9)).tolist()
    return [{"input_ids": row[: 9 - place], "labels": row[: 9 - place]} for place, row in enumerate(ids)]


def endless() -> Iterator[Batch]:
    return itertools.cycle(batches("causal-lm"))


@pytest.mark.parametrize(("patience", "lr"), [(1, 0.3), (2, 0.1), (9, 3e-3)])
def test_early_stopping_is_a_plain_loop_that_keeps_its_best(patience: int, lr: float, checkpoint: Read) -> None:
    ours = fresh(checkpoint, "gpt2", "causal-lm", None)
    plain = copy.deepcopy(ours)
    settings = Train(steps=10, lr=lr, schedule="constant", warmup=0.0, patience=patience, check_every=3, batch_size=2)
    stopping = Stopping(ours, dev_rows(), settings, 3, 0)
    heard: list[int] = []
    train(ours, endless(), settings, lambda step, _: heard.append(step), between=[stopping])

    optimizer = torch.optim.AdamW(plain.parameters(), lr=lr, weight_decay=0.0)
    losses: list[float] = []
    kept: list[dict[str, Tensor]] = []
    looks = [3, 6, 9, 10]
    for step, batch in zip(range(1, 11), endless(), strict=False):
        plain.train()
        optimizer.zero_grad()
        plain(**batch).loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), settings.clip)
        optimizer.step()
        if step in looks:
            plain.eval()
            losses.append(mean_loss(plain))
            kept.append({name: value.clone() for name, value in plain.state_dict().items()})
            best = losses.index(min(losses))
            if len(losses) - 1 - best >= patience:
                break
    assert heard[-1] == step
    assert stopping.found()["best_step"] == looks[best]
    assert stopping.found()["best_seconds"] > 0
    plain.load_state_dict(kept[best])
    assert_same(ours, plain)
    assert stopping.best == pytest.approx(losses[best], rel=1e-6)


@torch.no_grad()
def mean_loss(backbone: Backbone) -> float:
    """Over all tokens of the dev texts, one text at a time."""
    total, count = 0.0, 0
    for row in dev_rows():
        ids = torch.tensor([row["input_ids"]])
        losses, _ = losses_of("causal-lm", backbone(input_ids=ids, labels=ids).logits, ids)
        total, count = total + float(losses.sum()), count + losses.numel()
    return total / count


def test_looking_on_changes_nothing(checkpoint: Read) -> None:
    ours = fresh(checkpoint, "gpt2", "causal-lm", None, dropout=0.3)
    alone = copy.deepcopy(ours)
    settings = Train(steps=4, lr=3e-3, schedule="constant", warmup=0.0, patience=9, check_every=1)
    torch.manual_seed(3)
    stopping = Stopping(ours, dev_rows(), settings, 1, 0)
    train(ours, endless(), settings, between=[stopping])
    torch.manual_seed(3)
    train(alone, endless(), settings.model_copy(update={"steps": stopping.step}))
    assert_same(ours, alone, exactly=True)


class Killed(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("at", [2, 5])
@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "polynomial", "power": 2.0, "warmup": 2},
        {"schedule": "inverse_sqrt", "warmup": 3, "betas": (0.8, 0.9)},
        {"label_smoothing": 0.1, "accumulate": 2, "batch_size": 2},
        {"patience": 1, "check_every": 2, "lr": 0.3, "batch_size": 2},
    ],
    ids=lambda options: "-".join(options),
)
def test_a_training_that_was_killed_ends_with_the_same_digits(
    options: dict[str, Any], at: int, checkpoint: Read, tmp_path: Path
) -> None:
    settings = Train(**{"steps": 7, "lr": 3e-3} | options)

    def run(resume: Resume | None, watch: Callable[[int, float], None] | None = None) -> tuple[Backbone, list[int]]:
        backbone = fresh(checkpoint, "gpt2", "causal-lm", None, dropout=0.3)
        looks = [Stopping(backbone, dev_rows(), settings, 2, 0)] if settings.patience else []
        train(backbone, endless(), settings, watch, resume=resume, noise=5, between=looks)
        return backbone, [its.step for its in looks]

    def kill(step: int, _: float) -> None:
        if step == at + 1:
            raise Killed

    whole, best = run(None)
    with pytest.raises(Killed):
        run(Resume(tmp_path / "state", seconds=0.0), kill)
    ended, best_again = run(Resume(tmp_path / "state", seconds=0.0))
    assert best == best_again
    assert_same(whole, ended, exactly=True)
