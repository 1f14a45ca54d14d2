"""Our LoRA and prefix against PEFT's with the same weights: outputs and gradients to floating-point accuracy."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import Tensor

from harness.adaptations.lora import LoRA
from harness.adaptations.prefix import Prefix
from harness.backbone.anatomy import anatomies
from harness.backbone.backbone import Backbone
from harness.contracts.method import ANSWERING
from harness.learn.batches import Batch
from tests.contract.cells import Read, shake
from tests.contract.probes import labelled
from tests.models import LAYERS

RANK, SCALE, LENGTH = 4, 2.5, 5
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}
EXACT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-9}  # in double precision, where only the order of sums differs
OF_OTHERS = {  # where PEFT has no list of its own
    "distilbert": ["q_lin", "v_lin"],
    "albert": ["query", "value"],
    "modernbert": ["Wqkv"],
    "marian": ["q_proj", "v_proj"],
    "mbart": ["q_proj", "v_proj"],
    "pegasus": ["q_proj", "v_proj"],
}
TARGETS = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING | OF_OTHERS
EVERY = [
    (name, kind, 7 if kind == "token-classification" else None)
    for name, anatomy in anatomies().items()
    for kind in anatomy.kinds
    # Below the head it is the tagger's model, and what answers is a model of another kind.
    if kind != "sequence-classification" and kind not in ANSWERING
]
TYPES = {"token-classification": "TOKEN_CLS", "causal-lm": "CAUSAL_LM", "summarization": "SEQ_2_SEQ_LM"}


def grown(function: Any, batch: Batch, parameters: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and the loss's gradient of each parameter."""
    output = function(**batch)
    gradients = torch.autograd.grad(output.loss, list(parameters.values()))
    return output.logits.detach(), dict(zip(parameters, gradients, strict=True))


def named(name: str) -> Callable[[str], str]:
    return lambda text: f"{name}: {text}"


def compare(
    ours: tuple[Tensor, dict[str, Tensor]], theirs: tuple[Tensor, dict[str, Tensor]], close: dict[str, Any] = CLOSE
) -> None:
    torch.testing.assert_close(ours[0], theirs[0], **close)
    assert ours[1].keys() == theirs[1].keys()
    for name, gradient in ours[1].items():
        assert gradient.abs().max() > 1e-5, f"{name} has no gradient to compare"
        torch.testing.assert_close(gradient, theirs[1][name], **close, msg=named(name))


@pytest.mark.parametrize(("architecture", "kind", "labels"), EVERY)
def test_lora(architecture: str, kind: Any, labels: int | None, checkpoint: Read) -> None:
    ours = checkpoint(architecture, kind, labels).backbone(0)
    bare = copy.deepcopy(ours.model)
    LoRA(rank=RANK, scale=SCALE, targets="query_value").attach(ours)
    shake(ours, 0.1)
    config = LoraConfig(
        r=RANK,
        lora_alpha=RANK * SCALE,
        target_modules=TARGETS[architecture],
        lora_dropout=0.0,
        bias="none",
        task_type=TYPES[kind],
    )
    bare.load_state_dict(
        {name.removeprefix("model."): value for name, value in ours.state_dict().items() if "added" not in name}
    )
    theirs = get_peft_model(bare, config).eval()
    mine, peft = paired_lora(ours, theirs)
    assert len(mine) == 2 * len(ours.dense_layers("query_value"))
    assert set(peft) == set(mine)
    assert sum("lora_" in name for name, _ in theirs.named_parameters()) == len(mine), "PEFT adapts another layer"
    with torch.no_grad():
        for name, value in mine.items():
            peft[name].copy_(as_theirs(name, value))
    batch = labelled(ours)
    ours.double()
    theirs.double()
    logits, gradients = grown(ours, batch, mine)
    turned = {name: as_theirs(name, gradient) for name, gradient in gradients.items()}
    compare((logits, turned), grown(theirs, batch, peft), EXACT)


def as_theirs(name: str, value: Tensor) -> Tensor:
    """A matrix of ours as PEFT keeps it: its B is [out, rank]."""
    return value.T if name.endswith(".B") else value


def paired_lora(ours: Backbone, theirs: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Our parameters and PEFT's, under the same names: the dense layer's and A or B."""
    names = {id(module): name for name, module in ours.model.named_modules()}
    mine: dict[str, Tensor] = {}
    peft: dict[str, Tensor] = {}
    added: Any
    for dense, added in zip(ours.dense_layers("query_value"), ours.added.values(), strict=True):
        name = names[id(dense.module)]
        layer = theirs.base_model.model.get_submodule(name)
        mine |= {f"{name}.A": added.down, f"{name}.B": added.up}
        peft |= {f"{name}.A": layer.lora_A["default"].weight, f"{name}.B": layer.lora_B["default"].weight}
    return mine, peft


@pytest.mark.parametrize(
    ("architecture", "kind", "labels", "first"),
    [
        ("gpt2", "causal-lm", None, 0),
        ("gpt2", "token-classification", 7, 0),
        ("bert", "token-classification", 7, 0),
        ("roberta", "token-classification", 7, 2),  # its positions start behind the padding sign's id
        ("xlm-roberta", "token-classification", 7, 2),
        ("electra", "token-classification", 7, 0),
        ("llama", "causal-lm", None, 0),
        ("llama", "token-classification", 7, 0),
        ("mistral", "causal-lm", None, 0),
        ("qwen2", "causal-lm", None, 0),
        ("qwen3", "causal-lm", None, 0),
        ("gemma", "causal-lm", None, 0),
        ("gpt_neox", "causal-lm", None, 0),
        ("opt", "causal-lm", None, 0),
    ],
)
def test_prefix(architecture: str, kind: Any, labels: int | None, first: int, checkpoint: Read) -> None:
    ours = checkpoint(architecture, kind, labels).backbone(0)
    bare = copy.deepcopy(ours.model)
    Prefix(length=LENGTH).attach(ours)
    shake(ours, 0.5)
    bare.load_state_dict(
        {name.removeprefix("model."): value for name, value in ours.state_dict().items() if "added" not in name}
    )
    config = PrefixTuningConfig(num_virtual_tokens=LENGTH, prefix_projection=False, task_type=TYPES[kind])
    theirs = get_peft_model(bare, config).eval()
    table = theirs.prompt_encoder["default"].embedding.weight
    with torch.no_grad():
        table.copy_(as_table(ours))
    batch = labelled(ours)
    # PEFT's prefix lies in the cache, so its tokens stand behind it; ours takes no positions.
    places = first + torch.arange(batch["input_ids"].shape[1]).expand_as(batch["input_ids"])
    logits, gradients = grown(ours, {**batch, "position_ids": places + LENGTH}, dict(ours.added.named_parameters()))
    with torch.no_grad():
        unmoved = ours(**batch, position_ids=places).logits
    assert not torch.allclose(unmoved, logits, **CLOSE), "the positions do not matter, so they are not tested"
    wanted, whole = grown(theirs, batch, {"table": table})
    read = batch["attention_mask"].unsqueeze(-1)  # OPT's padding stands nowhere, where ours is told to stand somewhere
    compare((logits * read, {"table": as_table(ours, gradients)}), (wanted * read, whole))


def as_table(ours: Backbone, values: dict[str, Tensor] | None = None) -> Tensor:
    """Our keys and values, or their gradients, as PEFT keeps them: [length, layers * 2 * a key's width], keys first."""
    held = values or {name: value.detach() for name, value in ours.added.named_parameters()}
    parts = [held[f"{place}.{name}"] for place in ours.added for name in ("keys", "values")]
    assert len({part.shape for part in parts}) == 1
    assert len(parts) == 2 * LAYERS
    return torch.cat([part.transpose(0, 1).flatten(1) for part in parts], dim=1)
