"""Every architecture of anatomy.yaml on a tiny random checkpoint: its entry is all that the harness needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.pytorch_utils import Conv1D

from harness.adapt.trial import Use, try_checkpoint
from harness.adaptations.adapter import Adapter
from harness.adaptations.lora import LoRA
from harness.adaptations.prefix import Prefix
from harness.adaptations.tams import Tams
from harness.adaptations.tarp import Tarp
from harness.backbone import prefix_attention
from harness.backbone.anatomy import anatomies
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.backbone.matching import attach_outline, trained_in_body
from harness.base.errors import Unsupported
from harness.cli import server
from harness.contracts.adaptation import Adaptation
from harness.contracts.method import ANSWERING, Kind
from harness.data.generation import Generation
from harness.learn.generate import generated
from harness.learn.save import attach
from harness.meta.gradient import MetaGradient
from harness.meta.outer import Learner, Updates
from harness.prepare.dapt import Dapt
from tests.contract.cells import Case, Read, labels_of, run, same, shake, task_of
from tests.contract.probes import batch_for, future_seen, labelled, logits
from tests.contract.test_meta_batch import batch_of
from tests.contract.test_preparations import KINDS, meta, workshop_for
from tests.models import write_checkpoint

PARTS: dict[str, Adaptation] = {
    "lora": LoRA(rank=2, targets="all"),
    "prefix": Prefix(length=3),
    "prefix_mlp": Prefix(length=3, hidden=4),
    "tarp": Tarp(rank=2, targets="all"),
    "tams": Tams(width=4),
    "houlsby": Adapter(bottleneck=4),
    "parallel": Adapter(bottleneck=4, placement="parallel"),
    "last": Adapter(bottleneck=4, placement="last"),
}
NO_PREFIX = {"deberta-v2"}
ANSWERS = ("gpt2", "bart", "t5")  # what answers is a model of another kind: these stand for all that do
PAIRS = [
    (name, kind)
    for name, anatomy in anatomies().items()
    for kind in anatomy.kinds
    if kind not in ANSWERING or name in ANSWERS
]
ROUNDING = 2e-5
DROPOUT = 0.1  # while it trains; all else is asked of it as it predicts
CLOSE: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-4}
Folder = Callable[..., Path]

every = pytest.mark.parametrize("architecture", list(anatomies()))


def read_of(architecture: str, checkpoint: Read, kind: Kind | None = None) -> Checkpoint:
    """The tiny checkpoint of an architecture, for the first of its kinds if no other is named."""
    kind = kind or KINDS[architecture]
    return checkpoint(architecture, kind, labels_of(kind), DROPOUT)


def moved(read: Checkpoint, *parts: Adaptation) -> Backbone:
    """A backbone with adaptations, away from their start, having seen examples."""
    backbone = read.backbone(0)
    attach(backbone, parts, 0)
    shake(backbone, 0.2, head=False)
    for part in parts:
        part.observe(backbone, [labelled(backbone)])
    return backbone


@every
def test_its_entry_names_every_dense_layer_and_norm(architecture: str, checkpoint: Read) -> None:
    backbone = read_of(architecture, checkpoint).backbone(0)
    own = {
        id(module): name
        for _, place, layer in backbone.layers()
        for name, module in layer.named_modules(prefix=place)
        if isinstance(module, nn.Linear | Conv1D)
    }
    assert {id(dense.module) for dense in backbone.dense_layers("all")} == set(own)
    norms = {id(value) for value in backbone.norms().values()}
    named = [name for name, value in backbone.body.named_parameters() if id(value) in norms]
    assert named == [name for name, _ in backbone.body.named_parameters() if "norm" in name.lower() or "ln_" in name]


@every
def test_a_trial_finds_nothing_wrong(architecture: str, checkpoint_folder: Folder) -> None:
    task = task_of(KINDS[architecture])[0]
    use = Use(task, 32, 8, pretrains=True, texts=[task.text(task.sample)])
    assert try_checkpoint(checkpoint_folder(architecture, DROPOUT), use)[0].startswith(f"{architecture}, reads ")


def test_a_trial_tells_what_will_be_unsupported(checkpoint_folder: Folder) -> None:
    task = task_of("token-classification")[0]
    parts = {name: [part] for name, part in PARTS.items()} | {"wide": [Tarp(decomposition="kronecker", rank=2)]}
    use = Use(task, 32, 8, pretrains=False, methods=parts)
    told = [line for line in try_checkpoint(checkpoint_folder("deberta-v2", DROPOUT), use) if "unsupported" in line]
    assert [line.split()[1] for line in told] == ["prefix", "prefix_mlp"]
    assert "lets nothing stand before its own keys and values" in told[0]


def test_a_server_imports_the_models_of_its_run_alone(
    checkpoint_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = {"source": "local", "path": str(checkpoint_folder("deberta-v2", DROPOUT))}
    made = {"source": "pretrain", "architecture": "gpt2"}
    backbones = [{"spec": spec, "folder": "nowhere"} for spec in (made, {"source": "hub"}, local)]
    (tmp_path / "plan.json").write_text(json.dumps({"backbones": backbones}))
    imported: list[str] = []
    monkeypatch.setattr(server.importlib, "import_module", imported.append)
    server.import_models(tmp_path / "plan.json")
    assert [name.rsplit(".")[-1] for name in imported] == ["modeling_gpt2", "modeling_deberta_v2"]


@pytest.mark.parametrize(("architecture", "kind"), PAIRS)
def test_it_runs_a_cell_as_its_seed_says(architecture: str, kind: Kind, checkpoint: Read, tmp_path: Path) -> None:
    case, read, splits = Case("lora", architecture, kind), read_of(architecture, checkpoint, kind), task_of(kind)[2]
    ran = run(tmp_path, case, read, splits)
    assert len(ran.predictions) == len(splits["test"])
    added = [name for name in ran.before if name.startswith("added.")]
    assert added
    assert all(not torch.equal(ran.before[name], ran.after[name]) for name in added)
    torch.manual_seed(17)  # as an earlier cell leaves the generator
    torch.rand(3)
    again = run(tmp_path, case, read, splits)
    assert same(ran.after, again.after), "dropout was not drawn from the seed"
    assert again.predictions == ran.predictions


@pytest.mark.parametrize("name", PARTS)
@every
def test_an_adaptation_learns_and_keeps_to_the_past(architecture: str, name: str, checkpoint: Read) -> None:
    read, part = read_of(architecture, checkpoint), PARTS[name]
    if isinstance(part, Prefix) and architecture in NO_PREFIX:
        for backbone in (read.backbone(0), read.outline()):
            with pytest.raises(Unsupported, match="lets nothing stand before its own keys and values"):
                part.attach(backbone)
        return
    backbone = moved(read, part)
    outline = attach_outline([part], read.outline())
    assert trained_in_body(outline) == trained_in_body(backbone)
    loss = backbone(**labelled(backbone)).loss
    assert torch.isfinite(loss)
    values = dict(backbone.added.named_parameters())
    gradients = torch.autograd.grad(loss, list(values.values()), allow_unused=True)
    for place, gradient in zip(values, gradients, strict=True):
        assert gradient is not None, f"{place} is not read"
    if "decoder" in backbone.anatomy.stacks:
        assert future_seen(backbone) < ROUNDING


@every
def test_padding_changes_nothing(architecture: str, checkpoint: Read) -> None:
    parts = [] if architecture in NO_PREFIX else [PARTS["prefix"]]
    backbone = moved(read_of(architecture, checkpoint), *parts, PARTS["lora"])
    batch = batch_for(backbone)
    length = int(batch["attention_mask"][1].sum())
    alone = {name: value[1:] for name, value in batch.items()}
    alone |= {name: alone[name][:, :length] for name in ("input_ids", "attention_mask")}
    whole, single = logits(backbone, batch)[1:], logits(backbone, alone)
    torch.testing.assert_close(whole[:, : single.shape[1]], single, **CLOSE)


def by_hand(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, options: dict[str, Any]) -> Tensor:
    """softmax(q [prefix; k]^T scale + bias) [prefix; v], every head of the keys serving its group of queries."""
    own: Any = module
    groups = query.shape[1] // key.shape[1]
    prefix = [its.expand(len(query), *its.shape) for its in own.__dict__["prefix"]()]
    keys, values = (torch.cat(both, 2).repeat_interleave(groups, 1) for both in zip(prefix, (key, value), strict=True))
    length, (queries, tokens) = prefix[0].shape[2], (query.shape[2], key.shape[2])
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    scores = query @ keys.mT * scale
    bias = options.get("position_bias")
    if bias is not None:
        scores[..., length:] += bias
    if mask is None:
        causal = getattr(module, "is_causal", False) if options.get("is_causal") is None else options["is_causal"]
        mask = torch.ones(queries, tokens, dtype=torch.bool).tril(tokens - queries if causal else tokens)
    scores[..., length:] = scores[..., length:].masked_fill(~mask, float("-inf"))
    return (scores.softmax(-1) @ values).transpose(1, 2)


@pytest.mark.parametrize("architecture", [name for name in anatomies() if name not in NO_PREFIX])
def test_a_prefix_is_the_formula(architecture: str, checkpoint: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    check_prefix(moved(read_of(architecture, checkpoint), PARTS["prefix"]), monkeypatch)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("mistral", {"sliding_window": 4}),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}),
        ("modernbert", {"local_attention": 6}),
        ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}),  # so is the 350M: no norm ends it
        ("distilbert", {"sinusoidal_pos_embds": True}),
    ],
    ids=str,
)
def test_its_variants_too(
    architecture: str, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = KINDS[architecture]
    read = Checkpoint(write_checkpoint(tmp_path, architecture, **options), kind, labels_of(kind))
    check_prefix(moved(read, PARTS["prefix"]), monkeypatch)
    backbone = moved(read, PARTS["prefix"], PARTS["tams"], PARTS["last"])
    if "decoder" in backbone.anatomy.stacks:
        assert future_seen(backbone) < ROUNDING


def check_prefix(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attention of a pass gives what the formula gives."""
    seen: list[nn.Module] = []

    def watched(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, **options: Any) -> Any:
        given = real(module, query, key, value, mask, **dict(options))
        torch.testing.assert_close(given[0], by_hand(module, query, key, value, mask, options), **CLOSE)
        seen.append(module)
        return given

    real = prefix_attention.prefix_attention
    monkeypatch.setitem(AttentionInterface._global_mapping, prefix_attention.NAME, watched)
    logits(backbone)
    assert {id(module) for module in seen} == {id(attention.module) for attention in backbone.attentions()}


STARTS = {"bart": "</s>", "marian": "<pad>", "mbart": "<unk>", "pegasus": "<pad>", "t5": "<pad>", "mt5": "<pad>"}


@pytest.mark.parametrize("architecture", [name for name, kind in PAIRS if kind == "summarization"])
def test_a_summary_begins_as_in_training(architecture: str, checkpoint: Read) -> None:
    """And each further token is the likeliest, the sign that it began with aside where no text has that."""
    read = read_of(architecture, checkpoint)
    backbone = moved(read, *[part for name, part in PARTS.items() if name in ("lora", "prefix")])
    batch = batch_for(backbone)
    del batch["decoder_input_ids"]
    made = generated(backbone, batch, Generation(num_beams=1, forced_end=False), 6, read.tokenizer)
    start = read.tokenizer.convert_tokens_to_ids(STARTS[architecture])
    assert made[:, 0].tolist() == [start] * len(made)
    scores = logits(backbone, {**batch, "decoder_input_ids": made[:, :-1]})
    if STARTS[architecture] == "<pad>":
        scores[..., start] = float("-inf")
    best, pad = scores.argmax(-1), read.tokenizer.pad_token_id
    for wanted, given in zip(best, made[:, 1:], strict=True):
        length = int((given != pad).sum())
        assert length > 0
        assert torch.equal(wanted[:length], given[:length])


@every
def test_it_is_pretrained_further(architecture: str, checkpoint_folder: Folder, tmp_path: Path) -> None:
    dapt = Dapt(steps=2, batch_size=2)
    workshop = workshop_for(tmp_path, architecture, checkpoint_folder(architecture, DROPOUT), dapt, [], "t")
    dapt.prepare(workshop)
    assert workshop.cost["tokens"] > 0
    kind = KINDS[architecture]
    before, after = (Checkpoint(folder, kind, labels_of(kind)) for folder in (workshop.backbone, workshop.saved_to))
    assert before.fresh == after.fresh
    body = dict(before.model.base_model.named_parameters())
    still = [name for name, value in after.model.base_model.named_parameters() if torch.equal(value, body[name])]
    fixed = [f"{path}.weight" for path in anatomies()[architecture].fixed]
    assert [name for name in still if "pooler" not in name] == fixed


@every
def test_two_tasks_learn_as_each_alone(architecture: str, checkpoint: Read) -> None:
    """Meta-learning in first order, of all weights and what adapts."""
    read, settings = read_of(architecture, checkpoint), meta()
    parts = [PARTS["lora"], PARTS["tarp"], *([] if architecture in NO_PREFIX else [PARTS["prefix"]])]
    backbone = moved(read, *parts).double()
    updates = Updates.of(backbone, settings.inner.updates, settings.outer.updates, "meta")
    learner = Learner(backbone, parts, updates, settings.inner.settings(), 1, settings.memory, "meta")

    def gradient(tasks: list[int]) -> MetaGradient:
        support, query = ([batch_of(read.kind, 1, seed + task) for task in tasks] for seed in (1, 5))
        joined = [{name: torch.cat([batch[name] for batch in of]) for name in of[0]} for of in (support, query)]
        return learner.gradient([joined[0]], joined[1], len(tasks))

    both, alone = gradient([0, 1]), [gradient([0]), gradient([1])]
    assert torch.isfinite(both.losses).all()
    torch.testing.assert_close(both.losses, torch.cat([one.losses for one in alone]), **CLOSE)
    assert both.body
    for name, value in both.body.items():
        torch.testing.assert_close(value, alone[0].body[name] + alone[1].body[name], rtol=1e-5, atol=1e-6)
