"""A model that PEFT took into its own: made to give what every backbone gives, and tried before it trains."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.backbone.backbone import Backbone
from harness.base.errors import Unsupported, lacks_memory, reason
from harness.data.generation import Generation
from harness.data.kinds import IGNORED
from harness.learn.generate import generated

REFUSALS = (TypeError, ValueError, AttributeError, LookupError, AssertionError, ImportError, RuntimeError)
MIXING = ("LILY",)  # tuners that route a token by the mean over all texts of its batch
TOKENS = 3  # of the text that a tuner is tried on


def put_in(backbone: Backbone, kind: str, options: dict[str, Any]) -> None:
    """Let PEFT take the backbone's model into one with the tuner `kind`.

    Raises Unsupported where PEFT refuses, where nothing but the head would train, or where tokens alone do not give
    a loss and one row of logits a token.
    """
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftType, get_peft_model

    from harness.adaptations.peft_targets import scaled_inputs_of, targets_of

    if kind in MIXING:
        raise Unsupported(f"PEFT's {kind} mixes the texts of a batch: a prediction would depend on its neighbours")
    config_class = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(kind)]
    try:
        own = targets_of(backbone, kind, options)
        if own and "feedforward_modules" in config_class.__dataclass_fields__:
            own |= {"feedforward_modules": scaled_inputs_of(backbone)} | options
        config = config_class(**{**options, **own})
        adapted: Any = get_peft_model(backbone.model, config)
        backbone.model = adapted
        _train_head(backbone)
        if backbone.device.type != "meta":  # an outline is there to be counted, and has no values to compute with
            with torch.no_grad():
                backbone.to(backbone.device).eval()
                _read_past(backbone, config)
                _try(backbone)
    except REFUSALS as error:  # tuners raise what they like
        if lacks_memory(error):
            raise
        raise Unsupported(f"PEFT's {kind} does not work here: {reason(error)}") from error
    if all(backbone.is_head(name) for name in backbone.trained()):
        raise Unsupported(f"PEFT's {kind} trains nothing of this backbone but its head")


def _train_head(backbone: Backbone) -> None:
    """Let a head train under whatever name PEFT left it: it knows those of some architectures alone."""
    for name, parameter in backbone.named_parameters():
        if backbone.is_head(name) and "original_module" not in name.split("."):
            parameter.requires_grad_(True)


def _read_past(backbone: Backbone, config: Any) -> None:
    """Where a tuner puts virtual tokens before the text, give what stands behind them.

    They take the backbone's positions. Those that are read like the text have logits too, which are cut off; and a
    tagger's labels, which PEFT leaves as they are, get ignored ones before them.
    """
    if not config.is_prompt_learning:
        return
    virtual = int(config.num_virtual_tokens)
    if backbone.positions is not None:
        backbone.positions -= virtual
    if backbone.kind == "sequence-classification" or backbone(**_text(backbone)).logits.shape[1] == TOKENS:
        return

    def ignore(_: nn.Module, inputs: Any, batch: dict[str, Tensor]) -> tuple[Any, dict[str, Tensor]]:
        if "labels" in batch:
            batch = {**batch, "labels": functional.pad(batch["labels"], (virtual, 0), value=IGNORED)}
        return inputs, batch

    def cut(_: nn.Module, __: Any, output: Any) -> Any:
        output.logits = output.logits[:, virtual:]
        return output

    if backbone.kind == "token-classification":
        backbone.model.register_forward_pre_hook(ignore, with_kwargs=True)
    backbone.model.register_forward_hook(cut)


def _text(backbone: Backbone) -> dict[str, Tensor]:
    """A text of a few tokens, and as many of a decoder that reads its own."""
    ids = torch.arange(TOKENS, device=backbone.device).unsqueeze(0)
    if backbone.kind == "sequence-classification":  # it ends as a text does
        config = backbone.transformer.config
        signs = {config.pad_token_id, config.eos_token_id}
        ordinary = [place for place in range(TOKENS + len(signs)) if place not in signs][: TOKENS - 1]
        ids = torch.tensor([[*ordinary, config.eos_token_id or ordinary[0]]], device=backbone.device)
    text = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return text | ({"decoder_input_ids": ids} if backbone.kind == "summarization" else {})


def _try(backbone: Backbone) -> None:
    """Raise what the model raises for a few tokens, or ValueError where it does not give what is asked of it."""
    text = _text(backbone)
    logits = backbone(**text).logits
    if backbone.kind == "sequence-classification":
        return _try_classes(backbone, text, logits)
    if logits.shape[:2] != (1, TOKENS):
        raise ValueError(f"{TOKENS} tokens give logits of shape {list(logits.shape)}, not one row a token")
    labels = torch.zeros_like(text["input_ids"])
    if text.pop("decoder_input_ids", None) is not None:
        labels = labels[:, 1:]  # a summary is shorter than its text
        generated(backbone, text, Generation(), longest=TOKENS - 1)
    loss = backbone(**text, labels=labels).loss
    if not bool(loss.isfinite()):
        raise ValueError(f"the loss of {labels.shape[1]} labelled tokens is {float(loss)}")


def _try_classes(backbone: Backbone, text: dict[str, Tensor], logits: Tensor) -> None:
    """Raise ValueError unless a text has one row of logits, padding leaves them as they are, and there is a loss."""
    rows: int = backbone.transformer.config.num_labels
    if logits.shape != (1, rows):
        raise ValueError(f"a text gives logits of shape {list(logits.shape)}, not one for each of {rows} labels")
    pad = backbone.transformer.config.pad_token_id or 0
    longer = {
        "input_ids": functional.pad(text["input_ids"], (0, TOKENS), value=pad),
        "attention_mask": functional.pad(text["attention_mask"], (0, TOKENS)),
    }
    if not torch.allclose(backbone(**longer).logits, logits, atol=1e-4):
        raise ValueError("the logits of a text depend on the padding behind it")
    loss = backbone(**text, labels=torch.tensor([[0, rows, 0]], device=backbone.device)).loss
    if not bool(loss.isfinite()):
        raise ValueError(f"the loss of a text is {float(loss)}")
