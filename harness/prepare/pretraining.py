"""Pretraining on plain text: the embedded backbones from nothing, and DAPT from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from harness.backbone.anatomy import anatomies, architecture_of
from harness.backbone.backbone import Backbone, best_device
from harness.backbone.fit import check_anatomy
from harness.backbone.load import load_model
from harness.backbone.tokenizer import load_tokenizer
from harness.base.progress import bar, watcher
from harness.base.seeds import derive, generator
from harness.contracts.config import Pretrained
from harness.contracts.method import Kind, Train
from harness.learn.batches import collate
from harness.learn.flops import Flops
from harness.learn.loop import Trained, train
from harness.learn.losses import mean_loss
from harness.learn.objectives import OBJECTIVES, READS, SENTINELS, corrupted, windows
from harness.learn.resume import Resume

CLASSES: dict[Kind, Any] = {
    "token-classification": AutoModelForMaskedLM,
    "causal-lm": AutoModelForCausalLM,
    "summarization": AutoModelForSeq2SeqLM,
}
INIT = 0.06  # weights' standard deviation: with BERT's 0.02, models this narrow learn several times slower
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
NUMBERED = 100  # signs with a number, where the objective is to give hidden spans


def pretrain(spec: Pretrained, texts: list[str], folder: Path, name: str, resume: Resume) -> Trained:
    """Train a tokenizer and a small model on `texts` and save both to `folder`."""
    tokenizer = train_tokenizer(texts, spec)
    torch.manual_seed(derive("init", "backbone", spec.architecture, spec.seed))
    model = _model_class(spec.architecture).from_config(_config(spec, tokenizer))
    check_anatomy(model)
    settings = Train(steps=spec.steps, batch_size=spec.batch_size, lr=spec.lr, weight_decay=0.01)
    axes = "backbone", spec.architecture, spec.seed
    order, noise = generator("order", *axes), derive("noise", *axes)
    trained = continue_pretraining(model, tokenizer, texts, settings, spec.max_length, order, noise, name, resume)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return trained


def continue_pretraining(
    model: PreTrainedModel,
    tokenizer: Any,
    texts: list[str],
    settings: Train,
    max_length: int,
    order: Random,
    noise: int,
    what: str,
    resume: Resume,
) -> Trained:
    """Train all of `model` on `texts` by its architecture's own objective; `noise` is the seed of its dropout."""
    anatomy = anatomies()[model.config.model_type]
    backbone = Backbone(model.to(best_device()), anatomy, READS[anatomy.objective], frozenset())
    backbone.train_all()
    rows = corrupted(windows(texts, tokenizer, max_length), anatomy.objective, tokenizer, settings.batch_size, order)
    batches = (collate(features, tokenizer.pad_token_id, backbone.device) for features in rows)
    with bar(settings.steps, what) as progress:
        return train(backbone, batches, settings, watcher(progress), resume=resume, noise=noise, flops=Flops())


def load_for_pretraining(checkpoint: Path, seed: int) -> tuple[PreTrainedModel, Any, frozenset[str]]:
    """A checkpoint with the head of its pretraining objective, its tokenizer, and what of the head it lacks.

    What it lacks, as a checkpoint of the body alone does, is drawn from `seed`.
    """
    model, fresh = load_model(_model_class(architecture_of(checkpoint)), checkpoint, seed)
    return model, load_tokenizer(checkpoint), fresh


@torch.no_grad()
def held_out_loss(checkpoint: Path, texts: list[str], max_length: int, size: int = 16) -> float:
    """The mean loss of a checkpoint's own objective on `texts`, in nats a predicted token; always hides the same."""
    model, tokenizer, _ = load_for_pretraining(checkpoint, 0)
    anatomy = anatomies()[model.config.model_type]
    backbone = Backbone(model.to(best_device()), anatomy, READS[anatomy.objective], frozenset()).eval()
    rng = Random(0)
    rows = [OBJECTIVES[anatomy.objective](ids, tokenizer, rng) for ids in windows(texts, tokenizer, max_length)]
    return mean_loss(backbone, rows, size, tokenizer.pad_token_id)


def train_tokenizer(texts: list[str], spec: Pretrained) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, which can encode any text, trained on `texts`."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    objective = anatomies()[spec.architecture].objective
    numbered = [SENTINELS[0].format(number) for number in range(NUMBERED if objective == "spans" else 0)]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=spec.vocabulary + len(numbered),
            special_tokens=[*SPECIAL, *numbered],
            initial_alphabet=sorted(alphabet),
            show_progress=False,
        ),
    )
    if objective != "causal":
        signs = [(sign, tokenizer.token_to_id(sign)) for sign in ("<s>", "</s>")]
        # Two texts as the architecture's own tokenizer joins them.
        pair = "<s> $A </s> $B:1 </s>:1" if spec.architecture == "bert" else "<s> $A </s> </s> $B </s>"
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair=pair, special_tokens=signs)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token="<mask>",
        model_max_length=spec.max_length,
    )


def _config(spec: Pretrained, tokenizer: PreTrainedTokenizerFast) -> PreTrainedConfig:
    signs = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    sizes = {"width": spec.width, "depth": spec.layers, "heads": spec.heads, "inner": 4 * spec.width}
    fields = anatomies()[spec.architecture].configuration(signs, **sizes, positions=spec.max_length, spread=INIT)
    return AutoConfig.for_model(spec.architecture, **fields)


def _model_class(architecture: str) -> Any:
    """The class of transformers with the head of an architecture's pretraining objective."""
    return CLASSES[READS[anatomies()[architecture].objective]]
