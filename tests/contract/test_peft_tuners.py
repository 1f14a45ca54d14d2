"""Every tuner of PEFT, on every architecture: a cell is done, and computes what PEFT computes, or is unsupported."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftType, get_peft_model

from harness.adapt.bench import Bench
from harness.adapt.cell import run_cell
from harness.adaptations.peft_bridge import TASK_TYPES, Peft
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.base.errors import Unsupported
from harness.base.files import write_lines
from harness.contracts.method import Train
from harness.data.kinds import IGNORED
from harness.learn.save import attach
from tests.contract.cells import BUDGET, MAX_LENGTH, TARGET_LENGTH, Read, labels_of, same, shake, task_of
from tests.contract.probes import LENGTH, batch_for, cache_error, future_seen, labelled, logits
from tests.models import POSITIONS

KINDS: dict[str, Any] = {"bert": "token-classification", "gpt2": "causal-lm", "bart": "summarization"}
STEPS, VIRTUAL = 4, 4
ROUNDING = 1e-4
EVERYWHERE = {"bert", "gpt2", "bart"}

# Options under which a tuner fits models as narrow as these.
PROMPTS: dict[str, dict[str, Any]] = {
    "PROMPT_TUNING": {"num_virtual_tokens": VIRTUAL},
    "P_TUNING": {"num_virtual_tokens": VIRTUAL, "encoder_hidden_size": 16},
    "PREFIX_TUNING": {"num_virtual_tokens": VIRTUAL},
    "MULTITASK_PROMPT_TUNING": {"num_virtual_tokens": VIRTUAL},
    "CARTRIDGE": {"num_virtual_tokens": VIRTUAL},
    "CPT": {"cpt_token_ids": [5, 6, 7, 8], "cpt_mask": [1] * 4, "cpt_tokens_type_mask": [1, 2, 3, 4],
            "opt_weighted_loss_type": "none"},
}  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = PROMPTS | {
    "ADALORA": {"init_r": 4, "target_r": 2},
    "ADAMSS": {"r": 8, "num_subspaces": 2, "use_asa": True, "asa_target_subspaces": 2, "init_warmup": 0,
               "final_warmup": 3, "mask_interval": 1},
    "C3A": {"block_size": 8},
    "MISS": {"r": 4},
    "ROAD": {"group_size": 4},
    "SHIRA": {"r": 2},
    "TRAINABLE_TOKENS": {"token_indices": [5, 6]},
    "VBLORA": {"vector_length": 8, "num_vectors": 16},
    "WAVEFT": {"n_frequency": 8},
}  # fmt: skip
ON_BERT: dict[str, dict[str, Any]] = {
    "LN_TUNING": {"target_modules": ["LayerNorm"]},
    "OSF": {"target_modules": ["query", "value"]},
}
LORA: dict[str, dict[str, Any]] = {
    "LORA on all": {"target_modules": "all-linear"},
    "DoRA": {"use_dora": True},
    "LORA and biases": {"bias": "all", "use_rslora": True},
    "OLoRA": {"init_lora_weights": "olora"},
    "PiSSA": {"init_lora_weights": "pissa"},
}

# PEFT refuses it there, cannot compute with it from tokens alone, or trains nothing of the body.
TRANSPOSED = (
    "ADAMSS", "BEFT", "BOFT", "C3A", "DELORA", "GLORA", "HRA", "LOHA", "LOKR", "MISS", "OFT", "OSF", "PEANUT", "PSOFT",
    "ROAD", "SHIRA", "SUPERTUNING",
)  # fmt: skip
UNSUPPORTED: dict[str, set[str]] = {
    "ADAPTION_PROMPT": EVERYWHERE,  # for LLaMA and its like
    "CPT": {"bert", "bart"},
    "LILY": EVERYWHERE,  # it mixes the texts of a batch
    "LORA on all": {"bert"},  # the tagger's head is a dense layer too, and trains already
    "MULTITASK_PROMPT_TUNING": EVERYWHERE,  # it wants the number of a task
    "OLoRA": {"gpt2"},
    "POLY": EVERYWHERE,  # so does this
    "SHADOW": {"bert", "bart"},
    "TRAINABLE_TOKENS": {"bert"},
    "XLORA": EVERYWHERE,  # it mixes adapters that must be there
} | {name: {"gpt2"} for name in TRANSPOSED}  # GPT-2 stores its dense layers transposed

EVERY = {kind.value: (kind.value, OPTIONS.get(kind.value, {})) for kind in PeftType} | {
    name: ("LORA", {"r": 4, **options}) for name, options in LORA.items()
}


def tuner(kind: str, options: dict[str, Any], architecture: str) -> Peft:
    """The adaptation, as method.yaml would have it."""
    more = ON_BERT.get(kind, {}) if architecture == "bert" else {}
    return Peft(type=kind, options=options | more)


def read_for(architecture: str, checkpoint: Read) -> Checkpoint:
    return checkpoint(architecture, KINDS[architecture], labels_of(KINDS[architecture]))


def run(folder: Path, adaptation: Peft, read: Checkpoint, max_length: int = MAX_LENGTH) -> dict[str, Any]:
    """Train and predict one small cell; its costs."""
    task, domain, splits = task_of(read.kind)
    for split in ("train", "test"):
        write_lines(folder / f"{split}.jsonl", splits[split])
    train = Train(steps=STEPS, batch_size=2, lr=1e-2)
    bench = Bench(task, {domain: str(folder)}, [adaptation], train, max_length, TARGET_LENGTH, None)
    bench.checkpoints["tiny"] = read
    predictions, costs = run_cell(bench, domain, BUDGET, 0, "tiny")
    assert len(predictions) == len(splits["test"])
    return costs


def attached(adaptation: Peft, read: Checkpoint) -> Backbone:
    backbone = read.backbone(0)
    attach(backbone, [adaptation.trained_for(STEPS)], 0)
    return backbone


def as_peft_has_it(adaptation: Peft, read: Checkpoint) -> Any:
    """PEFT's own model, drawn from the same seed."""
    bare = copy.deepcopy(read.backbone(0).model)
    config = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(adaptation.type)]
    torch.manual_seed(0)
    options = adaptation.trained_for(STEPS).options
    return get_peft_model(bare, config(**options, task_type=TASK_TYPES[read.kind])).eval()


def check_it_is_pefts(adaptation: Peft, read: Checkpoint) -> None:
    """PEFT's own values at the start, and its logits and loss, without what stands before the text."""
    ours, theirs = attached(adaptation, read), as_peft_has_it(adaptation, read)
    assert same(dict(ours.model.state_dict()), theirs.state_dict())
    shake(ours, 0.05)
    theirs.load_state_dict(ours.model.state_dict())
    batch = labelled(ours)
    with torch.no_grad():
        found, wanted = ours.eval()(**batch), theirs(**{**batch, "labels": None})
        before = wanted.logits.shape[1] - LENGTH
        assert torch.equal(found.logits, wanted.logits[:, before:])
        if before and read.kind == "token-classification":
            ignored = torch.full((len(batch["labels"]), before), IGNORED)
            batch["labels"] = torch.cat([ignored, batch["labels"]], 1)  # PEFT leaves this to who calls it
        # A loss is a mean over as many logits, of which PEFT also sums some that count nothing.
        torch.testing.assert_close(found.loss, theirs(**batch).loss, rtol=1e-6, atol=0.0)


def neighbours_seen(backbone: Backbone) -> float:
    """The most that a logit moves when a text stands alone, without a neighbour and without padding."""
    batch = batch_for(backbone)
    text = int(batch["attention_mask"][1].sum())
    alone = {name: value[1:, :text] for name, value in batch.items()}
    return float((logits(backbone, batch)[1:, :text] - logits(backbone, alone)).abs().max())


@pytest.mark.parametrize("architecture", KINDS)
@pytest.mark.parametrize("name", EVERY)
def test_it_is_done_or_unsupported(name: str, architecture: str, checkpoint: Read, tmp_path: Path) -> None:
    kind, options = EVERY[name]
    read, adaptation = read_for(architecture, checkpoint), tuner(kind, options, architecture)
    if architecture in UNSUPPORTED.get(name, ()):
        with pytest.raises(Unsupported, match=f"PEFT's {kind} "):
            run(tmp_path, adaptation, read)
        return
    costs = run(tmp_path, adaptation, read)
    assert costs["trained_parameters"] > 0
    check_it_is_pefts(adaptation, read)
    backbone = attached(adaptation, read)
    shake(backbone, 0.05)
    assert neighbours_seen(backbone) < ROUNDING
    if architecture != "bert":
        assert future_seen(backbone) < ROUNDING
    if architecture == "bart":
        assert cache_error(backbone) < 1e-4


@pytest.mark.parametrize("kind", ["PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CARTRIDGE"])
def test_virtual_tokens_in_a_tagger_that_decodes(kind: str, checkpoint: Read, tmp_path: Path) -> None:
    read = checkpoint("gpt2", "token-classification", labels_of("token-classification"))
    run(tmp_path, tuner(kind, PROMPTS[kind], "gpt2"), read)
    check_it_is_pefts(tuner(kind, PROMPTS[kind], "gpt2"), read)


@pytest.mark.parametrize("architecture", KINDS)
@pytest.mark.parametrize("kind", ["PROMPT_TUNING", "PREFIX_TUNING"])
def test_virtual_tokens_take_positions(kind: str, architecture: str, checkpoint: Read, tmp_path: Path) -> None:
    read, adaptation = read_for(architecture, checkpoint), tuner(kind, PROMPTS[kind], architecture)
    assert attached(adaptation, read).positions == POSITIONS - VIRTUAL
    with pytest.raises(Unsupported, match=f"at most {POSITIONS - VIRTUAL} tokens; lower max_length"):
        run(tmp_path, adaptation, read, max_length=POSITIONS - VIRTUAL + 1)
    run(tmp_path, adaptation, read, max_length=POSITIONS - VIRTUAL)


def test_without_a_step_words_keep_their_places(checkpoint: Read) -> None:
    """A token's logits are its own, not those of the virtual token so many places before it."""
    read = read_for("bert", checkpoint)
    adaptation = tuner("PROMPT_TUNING", PROMPTS["PROMPT_TUNING"], "bert")
    found = logits(attached(adaptation, read))
    assert found.shape[:2] == batch_for(read.backbone(0))["input_ids"].shape
    with torch.no_grad():
        whole = as_peft_has_it(adaptation, read)(**batch_for(read.backbone(0))).logits
    assert whole.shape[1] == LENGTH + VIRTUAL
    torch.testing.assert_close(found, whole[:, VIRTUAL:])
    assert not torch.allclose(found, whole[:, :LENGTH])


@pytest.mark.parametrize("memory", [MemoryError(), RuntimeError("can't allocate memory: you tried")])
def test_too_little_memory_is_not_unsupported(
    memory: Exception, checkpoint: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise memory

    monkeypatch.setattr("peft.get_peft_model", refuse)
    with pytest.raises(type(memory)):
        attached(Peft(type="LORA"), read_for("bert", checkpoint))


def test_the_trial_draws_nothing(checkpoint: Read) -> None:
    read = read_for("bert", checkpoint)
    attached(Peft(type="LORA", options={"lora_dropout": 0.5}), read)
    ours = torch.rand(3)
    as_peft_has_it(Peft(type="LORA", options={"lora_dropout": 0.5}), read)
    assert torch.equal(ours, torch.rand(3))
