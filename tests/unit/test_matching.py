"""The solver of equal trainable shares, on counts that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from pydantic import Field
from torch import nn
from transformers import BertConfig

from harness.adaptations.finetune import Finetune
from harness.adaptations.lora import LoRA
from harness.adaptations.prefix import Prefix
from harness.backbone.backbone import Backbone
from harness.backbone.load import outline
from harness.backbone.matching import body_parameters, match, resized
from harness.base.errors import Unsupported
from harness.contracts.adaptation import Adaptation

WIDTH, LAYERS = 16, 2
CONFIG = BertConfig(
    vocab_size=50,
    hidden_size=WIDTH,
    num_hidden_layers=LAYERS,
    num_attention_heads=2,
    intermediate_size=32,
    num_labels=7,
)
STEP = 4 * WIDTH * LAYERS  # what one rank of LoRA on queries and values trains: in + out of two layers in each


def bare() -> Backbone:
    return outline(CONFIG, "token-classification")


BODY = body_parameters(bare())


class Extra(Adaptation):
    """A fixed vector and `width` more; widths above 5 are refused."""

    sized_by: ClassVar[str | None] = "width"
    width: int = Field(3, ge=2, le=5)
    fixed: int = 10

    def attach(self, backbone: Backbone) -> None:
        for name, length in (("fixed", self.fixed), ("sized", self.width)):
            holder = nn.Module()
            holder.vector = nn.Parameter(torch.zeros(length))
            backbone.put(name, holder)


class Flat(Extra):
    """Names an option that changes nothing."""

    sized_by: ClassVar[str | None] = "width"
    width: int = 3

    def attach(self, backbone: Backbone) -> None:
        pass


def test_the_body_is_counted_without_its_head() -> None:
    backbone = bare()
    whole = sum(value.numel() for value in backbone.model.parameters())
    assert backbone.device.type == "meta"
    assert whole - BODY == 7 * WIDTH + 7


@pytest.mark.parametrize(
    ("wanted", "rank"),
    [(3 * STEP, 3), (3.4 * STEP, 3), (3.6 * STEP, 4), (3.5 * STEP, 3), (STEP, 1), (1e-9, 1), (17.2 * STEP, 17)],
    ids=["exact", "below", "above", "tie takes the smaller", "one", "too small a share", "far"],
)
@pytest.mark.parametrize("start", [1, 8, 100])
def test_the_nearest_rank_is_found_whatever_the_method_says(wanted: float, rank: int, start: int) -> None:
    found = match([LoRA(rank=start)], wanted / BODY, bare)
    assert found.adaptations == [LoRA(rank=rank)]
    assert found.sized == f"rank {rank}"
    assert found.share == pytest.approx(rank * STEP / BODY)


def test_a_share_of_all_parameters_is_reached() -> None:
    assert match([LoRA()], 1.0, bare).share == pytest.approx(1.0, abs=STEP / BODY)


@pytest.mark.parametrize(("wanted", "width"), [(1, 2), (13.6, 4), (14, 4), (15, 5), (1000, 5)])
def test_what_is_refused_bounds_the_size(wanted: float, width: int) -> None:
    assert match([Extra()], wanted / BODY, bare).adaptations == [Extra(width=width)]


def test_parts_keep_their_proportion() -> None:
    parts = [LoRA(rank=2), Prefix(length=8), Finetune()]
    assert resized(parts, 4) == [LoRA(rank=1), Prefix(length=4), Finetune()]
    assert resized(parts, 20) == [LoRA(rank=5), Prefix(length=20), Finetune()]
    assert resized(parts, 1) == [LoRA(rank=1), Prefix(length=1), Finetune()]


def test_what_other_parts_train_counts() -> None:
    class Fixed(Extra):
        sized_by: ClassVar[str | None] = None

    found = match([LoRA(rank=8), Fixed(width=2, fixed=6 * STEP - 2)], 9 * STEP / BODY, bare)
    assert found.adaptations[0] == LoRA(rank=3)


def test_an_option_that_changes_nothing_is_told() -> None:
    with pytest.raises(Unsupported, match="does not change how many"):
        match([Flat()], 0.5, bare)


def test_what_cannot_be_attached_says_its_own_reason() -> None:
    class Never(Adaptation):
        sized_by: ClassVar[str | None] = "rank"
        rank: int = 2

        def attach(self, backbone: Backbone) -> None:
            raise Unsupported("not on this backbone")

    with pytest.raises(Unsupported, match="not on this backbone"):
        match([Never()], 0.5, bare)


@pytest.mark.parametrize("seed", [0, 1])
def test_solving_leaves_the_random_numbers_alone(seed: int) -> None:
    def drawn(before: Callable[[], object]) -> torch.Tensor:
        torch.manual_seed(seed)
        before()
        return torch.rand(3)

    assert torch.equal(drawn(lambda: match([LoRA()], 0.1, bare)), drawn(lambda: None))
