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


def put_in(backbone: Backbone, kind: str, config_class: Any, options: dict[str, Any]) -> None:
    """Let PEFT take the backbone's model into one with the tuner `kind`.

    Raises Unsupported where PEFT refuses, where nothing but the head would train, or where tokens alone do not give
    a loss and one row of logits a token.
    """
    from peft import get_peft_model

    from harness.adaptations.peft_targets import scaled_inputs_of, targets_of

    if kind in MIXING:
        raise Unsupported(f"PEFT's {kind} mixes the texts of a batch: a prediction would depend on its neighbours")
    try:
        own = targets_of(backbone, kind, options)
        if own and "feedforward_modules" in config_class.__dataclass_fields__:
            own |= {"feedforward_modules": scaled_inputs_of(backbone)} | options
        config = config_class(**{**options, **own})
        adapted: Any = get_peft_model(backbone.model, config)
        backbone.model = adapted
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
    if backbone(**_text(backbone)).logits.shape[1] == TOKENS:
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
    text = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return text | ({"decoder_input_ids": ids} if backbone.kind == "summarization" else {})


def _try(backbone: Backbone) -> None:
    """Raise what the model raises for a few tokens, or ValueError where it does not give what is asked of it."""
    text = _text(backbone)
    logits = backbone(**text).logits
    if logits.shape[:2] != (1, TOKENS):
        raise ValueError(f"{TOKENS} tokens give logits of shape {list(logits.shape)}, not one row a token")
    labels = torch.zeros_like(text["input_ids"])
    if text.pop("decoder_input_ids", None) is not None:
        labels = labels[:, 1:]  # a summary is shorter than its text
        generated(backbone, text, Generation(), longest=TOKENS - 1)
    loss = backbone(**text, labels=labels).loss
    if not bool(loss.isfinite()):
        raise ValueError(f"the loss of {labels.shape[1]} labelled tokens is {float(loss)}")
