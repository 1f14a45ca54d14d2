"""Any tuner of the PEFT library as an adaptation, by YAML alone."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator

from harness.backbone.backbone import Backbone
from harness.base.errors import Unsupported
from harness.contracts.adaptation import Adaptation

TASK_TYPES = {"token-classification": "TOKEN_CLS", "causal-lm": "CAUSAL_LM", "summarization": "SEQ_2_SEQ_LM"}


class Peft(Adaptation):
    """A tuner of PEFT: `type` is its name there (IA3, VERA, ...), `options` its configuration."""

    type: str
    options: dict[str, Any] = {}

    @field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        from peft import PeftType  # more than a second to import, and only these methods need it

        known = sorted(str(kind.value) for kind in PeftType)
        if value not in known:
            raise ValueError(f"PEFT has no such tuner; use one of {', '.join(known)}")
        return value

    def attach(self, backbone: Backbone) -> None:
        from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftType, get_peft_model

        config_class = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(self.type)]
        try:
            config = config_class(task_type=TASK_TYPES[backbone.kind], **self.options)
            adapted = get_peft_model(backbone.model, config)
        except (TypeError, ValueError) as error:
            raise Unsupported(f"PEFT refuses {self.type} here: {str(error).splitlines()[0]}") from error
        backbone.model = adapted
