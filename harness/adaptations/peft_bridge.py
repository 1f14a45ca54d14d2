"""Tuners of the PEFT library as adaptations, by YAML alone."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationInfo, field_validator

from harness.adaptations.peft_steps import fitted
from harness.adaptations.peft_tuners import defaults_of, tuners
from harness.contracts.adaptation import Adaptation

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone

TASK_TYPES = {
    "token-classification": "TOKEN_CLS",
    "sequence-classification": "SEQ_CLS",
    "causal-lm": "CAUSAL_LM",
    "summarization": "SEQ_2_SEQ_LM",
}
OURS = ("task_type", "peft_type", "inference_mode")  # which the harness sets
FROM_DATA = ("eva", "corda", "lora_ga")  # LoRA's starts that PEFT takes from examples, in a pass of its own


class Peft(Adaptation):
    """A tuner of PEFT: `type` is its name there (IA3, VERA, ...), `options` its configuration.

    Unsupported where PEFT refuses the backbone, and where the tuner needs more than tokens to compute with, as the
    number of a task. A tuner that must be told of every step (AdaLoRA) is told as in PEFT's own loops.
    """

    type: str
    options: dict[str, Any] = {}

    @field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in tuners():
            raise ValueError(f"there is no such tuner in PEFT; use one of {', '.join(tuners())}")
        return value

    @field_validator("options")
    @classmethod
    def _known_options(cls, value: dict[str, Any], others: ValidationInfo) -> dict[str, Any]:
        if "type" not in others.data:
            return value
        kind = others.data["type"]
        known = [name for name in defaults_of(kind) if name not in OURS]
        for name in value:
            if name in OURS:
                raise ValueError(f"the harness sets {name!r}; remove it")
            if name not in known:
                close = get_close_matches(name, known, 1)
                mend = f"did you mean {close[0]!r}?" if close else f"use some of {', '.join(sorted(known))}"
                raise ValueError(f"there is no option {name!r} of PEFT's {kind}; {mend}")
        if value.get("init_lora_weights") in FROM_DATA:
            how = value["init_lora_weights"]
            raise ValueError(f"the start {how!r} takes a pass of its own over examples; use another init_lora_weights")
        return value

    def trained_for(self, steps: int) -> Self:
        return self.model_copy(update={"options": fitted(self.options, defaults_of(self.type), steps)})

    def attach(self, backbone: Backbone) -> None:
        from harness.adaptations.peft_forward import put_in

        put_in(backbone, self.type, {**self.options, "task_type": TASK_TYPES[backbone.kind]})

    def after_step(self, backbone: Backbone, step: int, steps: int) -> None:
        """Tell a tuner that allots its ranks anew on the way of the step, counted from 0 as in PEFT's own loops."""
        model: Any = backbone.model
        if hasattr(model.base_model, "update_and_allocate"):
            model.base_model.update_and_allocate(step - 1)

    def finish(self, backbone: Backbone) -> None:
        """What a tuner froze on the way was trained all the same: it counts as such, and is stored."""
        model: Any = backbone.model
        model.set_adapter(model.active_adapter)
